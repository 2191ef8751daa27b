// `npm run test:e2e`: the end-to-end tests, in some minutes. `npm run test:e2e -- consent tcp` runs those files only.
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './lib/paths.mjs'

/**
 * How many files run at a time. Most wait for what others do: four at a time. Of those that listen in real time some hear only whether
 * somebody is there, two at a time; the others judge how good it is, or start browsers beside: one at a time.
 */
const TOGETHER = { watch: 4, hear: 2, judge: 1 }
const HEAR = ['group', 'outages', 'mobility']
const JUDGE = ['package', 'demo-page', 'phone-to-phone', 'wrtc', 'tcp', 'browser', 'instruments']

/** Those that take longest: first, so that none of them is left alone at the end. */
const LONG = ['scenarios-browser', 'quality', 'consent', 'demo-page-use', 'demo-page-look', 'scenarios-phone', 'bad-input']

const folder = join(root, 'testing/e2e')
const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('--only='))
/** `--only=hear,judge`: files of these kinds. */
const kinds = process.argv.find((arg) => arg.startsWith('--only='))?.slice(7).split(',') ?? Object.keys(TOGETHER)
const names = readdirSync(folder).filter((file) => file.endsWith('.test.mjs')).map((file) => file.replace('.test.mjs', ''))
  .filter((name) => wanted.length === 0 || wanted.some((w) => name.startsWith(w)))
if (names.length === 0) {
  console.error(`no such test: ${wanted.join(' ')}`)
  process.exit(2)
}
const unknown = kinds.filter((kind) => !(kind in TOGETHER))
if (unknown.length > 0) {
  console.error(`no such kind: ${unknown.join(' ')} (there are ${Object.keys(TOGETHER).join(', ')})`)
  process.exit(2)
}

// Whatever a test starts inherits this mark: nothing that bears it may be left at the end.
const mark = ['JMRTC_E2E_RUN', `${process.pid}-${Date.now()}`]

/** Runs files, so many at a time; resolves with the exit code. */
function run(names, concurrency) {
  if (names.length === 0) return 0
  const files = names.map((name) => join(folder, `${name}.test.mjs`))
  const child = spawn(process.execPath, ['--test', `--test-concurrency=${concurrency}`, '--test-force-exit', '--test-reporter=spec', ...files], {
    cwd: root, stdio: 'inherit', env: { ...process.env, [mark[0]]: mark[1] },
  })
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)))
}

/** Processes that bear the mark. */
function marked() {
  return readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry)).flatMap((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
      return environment.includes(mark.join('=')) ? [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').slice(0, 200) }] : []
    } catch {
      return []
    }
  })
}

const place = (name) => (LONG.includes(name) ? LONG.indexOf(name) : LONG.length)
const kind = (name) => (HEAR.includes(name) ? 'hear' : JUDGE.includes(name) ? 'judge' : 'watch')
const codes = []
for (const [what, atOnce] of Object.entries(TOGETHER).filter(([what]) => kinds.includes(what))) {
  codes.push(await run(names.filter((name) => kind(name) === what).toSorted((a, b) => place(a) - place(b)), atOnce))
}
const left = marked()
for (const { pid, command } of left) {
  console.error(`left running: ${pid} ${command}`)
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself just now.
  }
}
process.exit(codes.every((code) => code === 0) && left.length === 0 ? 0 : 1)
