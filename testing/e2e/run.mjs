// `npm run test:e2e`: the end-to-end tests, cheap ones first, one file at a time: they measure sound in real time.
// `npm run test:e2e -- consent tcp` runs those files only.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
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
const child = spawn(process.execPath, ['--test', '--test-concurrency=1', '--test-force-exit', '--test-reporter=spec', ...files.map((f) => join(folder, f))], { cwd: root, stdio: 'inherit' })
child.on('exit', (code) => process.exit(code ?? 1))
