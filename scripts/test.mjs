// `npm test`: everything that continuous integration runs, in order of cost.
// `npm test -- NAME…` runs only the steps named; `npm test -- --list` names them.
import { spawnSync } from 'node:child_process'
import { install } from './install.mjs'
import { run } from './run.mjs'

const npm = (script) => () => run('npm', ['run', '--silent', script])

/** The desktop backend is a feature of its own, because on Linux it needs ALSA's headers: where they are it is linted and tested. */
const alsa = () => process.platform !== 'linux' || spawnSync('pkg-config', ['--exists', 'alsa']).status === 0
function cargo(...args) {
  return () => {
    if (alsa()) return run('cargo', [...args.slice(0, 1), '--features', 'jmrtc-phone/desktop', ...args.slice(1)])
    console.log('without sound cards: no ALSA headers here (libasound2-dev)')
    return run('cargo', args)
  }
}

const steps = [
  ['format', 'Rust is formatted', () => run('cargo', ['fmt', '--all', '--check'])],
  // The pages come first: the server embeds them.
  ['build', 'wasm, TypeScript, demo page', npm('build')],
  ['www', 'TypeScript tests', npm('test:www')],
  ['clippy', 'Rust lints', cargo('clippy', '--quiet', '--workspace', '--all-targets', '--', '-D', 'warnings')],
  ['rust', 'Rust tests', cargo('test', '--quiet', '--workspace', '--no-fail-fast')],
  ['mobile', 'the native library for phones', npm('test:mobile')],
  // Not with -p: the dependencies' features would differ from the tests', and all be built again.
  // And as they are given to others, without ALSA: the system in which Swift runs has none.
  ['binaries', 'server, phone and library', () => run('cargo', ['build', '--quiet', '--workspace'])],
  ['codegen', 'generated files are current', () => run('cargo', ['xtask', 'codegen', '--check'])],
  ['e2e', 'calls between real parts', npm('test:e2e')],
  ['kotlin', 'calls from the JVM', npm('test:kotlin')],
  ['android', 'the Android plugin under Robolectric', npm('test:android')],
  ['ios', 'the iOS bridge in Swift', npm('test:ios')],
]

const args = process.argv.slice(2)
if (args.includes('--list')) {
  for (const [name, what] of steps) console.log(`${name.padEnd(10)} ${what}`)
  process.exit(0)
}
const unknown = args.filter((a) => !steps.some(([name]) => name === a))
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(', ')} (npm test -- --list names them)`)
  process.exit(2)
}

await install('test')
const results = []
for (const [name, what, step] of steps) {
  if (args.length > 0 && !args.includes(name)) continue
  console.log(`\n=== ${name}: ${what}`)
  const start = Date.now()
  const code = await step()
  results.push({ name, code, seconds: Math.round((Date.now() - start) / 1000) })
  // A later step would only fail for the same reason.
  if (code !== 0 && ['build', 'binaries'].includes(name)) break
}

console.log('')
for (const { name, code, seconds } of results) console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds} s`)
const failed = results.filter((r) => r.code !== 0).length
console.log(`${results.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
