// `npm test`: everything that continuous integration runs, in order of cost.
// `npm test -- NAME…` runs only the steps named; `npm test -- --list` names them.
import { spawn, spawnSync } from 'node:child_process'
import { install } from './install.mjs'
import { root, run } from './run.mjs'

// Lints on the way: Clippy is in the compiler's place for what is ours, so that nothing is compiled twice.
Object.assign(process.env, { RUSTC_WORKSPACE_WRAPPER: 'clippy-driver', CLIPPY_ARGS: '-Dwarnings__CLIPPY_HACKERY__' })

const cargo = (...args) => ['cargo', ...args]
const npm = (script) => ['npm', 'run', '--silent', script]

/** The desktop backend is a feature of its own, because on Linux it needs ALSA's headers: where they are it is linted and tested. */
const alsa = () => process.platform !== 'linux' || spawnSync('pkg-config', ['--exists', 'alsa']).status === 0

function rust(...more) {
  const features = alsa() ? ['--features', 'jmrtc-phone/desktop'] : []
  return cargo('test', ...features, '--quiet', '--workspace', '--no-fail-fast', ...more)
}

function everyRustTest() {
  if (!alsa()) console.log('without sound cards: no ALSA headers here (libasound2-dev)')
  // Most of them wait. Of the simulated worlds only some: the step `worlds` plays them all.
  return ['env', 'RUST_TEST_THREADS=8', 'JMRTC_SIM_RUNS=1000', ...rust()]
}

/** One after the other. */
const first = [
  ['format', 'Rust is formatted', () => cargo('fmt', '--all', '--check')],
  // The pages come first: the server embeds them.
  ['build', 'wasm, TypeScript, demo page', () => npm('build')],
  ['www', 'TypeScript tests', () => npm('test:www')],
  ['rust', 'Rust lints and tests', everyRustTest],
  // Not with -p: the dependencies' features would differ from the tests', and all be built again.
  // And as they are given to others, without ALSA: the system in which Swift runs has none.
  ['binaries', 'server, phone and library', () => cargo('build', '--quiet', '--workspace')],
  ['codegen', 'generated files are current', () => cargo('xtask', 'codegen', '--check')],
]
/** Much of the machine goes into browsers here. */
const calls = [['e2e', 'calls between real parts', () => [...npm('test:e2e'), '--', '--only=watch']]]
/** Whoever listens in real time mostly waits: all else runs beside and gives way. */
const sound = [['sound', 'calls that are listened to', () => [...npm('test:e2e'), '--', '--only=hear,judge']]]
const beside = [
  ['kotlin', 'calls from the JVM', () => npm('test:kotlin')],
  ['android', 'the Android plugin under Robolectric', () => npm('test:android')],
  ['ios', 'the iOS bridge in Swift', () => npm('test:ios')],
  ['worlds', 'thousands of simulated worlds', () => rust('--test', 'random')],
  ['mobile', 'the native library for phones', () => npm('test:mobile')],
].map(([name, what, command]) => [name, what, () => ['nice', '-n', '10', ...command()]])
const steps = [...first, ...calls, ...sound, ...beside]

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

/** Runs a command line; resolves with its exit code when all that it says is printed, in one piece. */
async function runThenSay(title, [command, ...args]) {
  const said = []
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => said.push(data))
  const code = await new Promise((resolve) => child.on('error', () => resolve(127)).on('close', (code) => resolve(code ?? 1)))
  process.stdout.write(Buffer.concat([Buffer.from(title), ...said]))
  return code
}

const results = []

/** Runs those of a list of steps that are wanted; resolves with whether the rest makes sense. */
async function runAll(list, { later = false } = {}) {
  for (const [name, what, command] of list) {
    if (args.length > 0 && !args.includes(name)) continue
    const title = `\n=== ${name}: ${what}\n`
    const start = Date.now()
    if (!later) process.stdout.write(title)
    const [program, ...rest] = command()
    const code = later ? await runThenSay(title, [program, ...rest]) : await run(program, rest)
    results.push({ name, code, seconds: Math.round((Date.now() - start) / 1000) })
    // A later step would only fail for the same reason.
    if (code !== 0 && ['build', 'binaries'].includes(name)) return false
  }
  return true
}

await install('test')
if (await runAll([...first, ...calls])) await Promise.all([runAll(sound), runAll(beside, { later: true })])

console.log('')
for (const { name, code, seconds } of results) console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds} s`)
const failed = results.filter((r) => r.code !== 0).length
console.log(`${results.length - failed} passed, ${failed} failed, ${Math.round(process.uptime())} s in all`)
process.exit(failed === 0 ? 0 : 1)
