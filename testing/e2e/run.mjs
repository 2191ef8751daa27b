// `npm run test:e2e`: the end-to-end tests, cheap ones first, one file at a time: they measure sound in real time.
// `npm run test:e2e -- consent tcp` runs those files only.
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './lib/paths.mjs'

const folder = join(root, 'testing/e2e')
const ORDER = ['audio', 'instruments', 'bad-input', 'command-line', 'phone-to-phone', 'wrtc', 'stories-phone', 'group', 'browser', 'stories-browser', 'consent', 'media-loss', 'tcp', 'demo-page', 'cordova']
const rank = (file) => (ORDER.indexOf(file.split('.')[0]) + 1 || 99)
const wanted = process.argv.slice(2)
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some((w) => file.startsWith(w))))
  .sort((a, b) => rank(a) - rank(b))
if (files.length === 0) {
  console.error(`no such test: ${wanted.join(' ')}`)
  process.exit(2)
}
// Whatever a test starts inherits this mark: nothing that bears it may be left at the end.
const mark = `JMRTC_E2E_RUN=${process.pid}-${Date.now()}`
const [name, value] = mark.split('=')
const child = spawn(process.execPath, ['--test', '--test-concurrency=1', '--test-force-exit', '--test-reporter=spec', ...files.map((f) => join(folder, f))], {
  cwd: root, stdio: 'inherit', env: { ...process.env, [name]: value },
})
child.on('exit', (code) => {
  const left = marked()
  for (const { pid, command } of left) {
    console.error(`left running: ${pid} ${command}`)
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself just now.
    }
  }
  process.exit(code !== 0 ? (code ?? 1) : left.length > 0 ? 1 : 0)
})

/** Processes that bear the mark. */
function marked() {
  return readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry)).flatMap((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
      return environment.includes(mark) ? [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').slice(0, 200) }] : []
    } catch {
      return []
    }
  })
}
