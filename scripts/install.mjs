// Installs what the project needs and is not there yet; says what and why. Does nothing the second time.
//   node scripts/install.mjs --for demo    what `npm run demo` needs
//   node scripts/install.mjs --for test    what `npm test` needs
//   … --check                              installs nothing, exits 1 where something is missing
// Rust (rustup) and Node are expected. Root is asked for (sudo) only where a Debian package is missing.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { hasTarget, hasTools } from './native-library.mjs'
import { run, root } from './run.mjs'

const file = (...parts) => existsSync(join(root, ...parts))

/** Whether a program of one of these names is in PATH. */
const program = (...names) => names.some((name) => process.env.PATH.split(delimiter).some((folder) => {
  try {
    accessSync(join(folder, name), constants.X_OK)
    return true
  } catch {
    return false
  }
}))

const succeeds = (command, ...args) => spawnSync(command, args, { cwd: root, stdio: 'ignore' }).status === 0

/** Programs and headers that come with the system. `apt` names Debian's packages, `get` another way. */
const system = [
  { for: ['demo', 'test'], what: 'a C compiler', why: 'builds the Opus codec and cryptography', apt: ['build-essential'], get: 'gcc or clang, and make', there: () => program('cc', 'gcc', 'clang') && program('make') },
  { for: ['demo', 'test'], what: 'CMake', why: 'builds the Opus codec', apt: ['cmake'], get: 'https://cmake.org', there: () => program('cmake') },
  { for: ['test'], what: 'ALSA headers', why: 'builds the desktop audio backend', apt: ['libasound2-dev', 'pkg-config'], get: 'alsa-lib development files and pkg-config', there: () => process.platform !== 'linux' || succeeds('pkg-config', '--exists', 'alsa') },
  { for: ['test'], what: 'Chromium', why: 'the browser in the end-to-end tests', apt: ['chromium'], get: 'https://www.chromium.org, with JMRTC_CHROMIUM naming it', there: () => process.env.JMRTC_CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].some(existsSync) },
  { for: ['test'], what: 'eSpeak NG', why: 'speaks the sentences of the tests', apt: ['espeak-ng'], get: 'https://github.com/espeak-ng/espeak-ng', there: () => program('espeak-ng') },
  { for: ['test'], what: 'a JDK of 17 or newer', why: 'the Kotlin and Android tests', apt: ['default-jdk-headless'], get: 'https://adoptium.net', there: () => succeeds('javac', '-version') },
  { for: ['test'], what: 'Maven', why: 'the Kotlin and Android tests', apt: ['maven'], get: 'https://maven.apache.org', there: () => program('mvn') },
  { for: ['test'], what: 'Gradle', why: 'applies the Gradle file that apps get with the plugin', apt: ['gradle'], get: 'https://gradle.org', there: () => program('gradle') },
  { for: ['test'], what: 'Python with venv and headers', why: 'compares what was heard with what was said', apt: ['python3-venv', 'python3-dev'], get: 'Python 3.11 or newer', there: () => venvIsCurrent() || succeeds('python3', '-c', 'import ensurepip, os, sysconfig; assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))') },
]

const requirements = 'testing/e2e/requirements.txt'
const installedRequirements = '.venv/requirements.txt'

function venvIsCurrent() {
  return file(installedRequirements) && readFileSync(join(root, installedRequirements), 'utf8') === readFileSync(join(root, requirements), 'utf8')
}

const NODE = `node-${process.platform}-${process.arch}`

/** The Node that runs Capacitor's command line, which wants 22 or newer; undefined where there is none. */
export function newNode() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath
  const own = join(root, '.node/node_modules', NODE, 'bin/node')
  return existsSync(own) ? own : undefined
}

function rustTarget(target, purposes, why) {
  return { for: purposes, what: `the Rust target ${target}`, why, there: () => hasTarget(target), install: () => run('rustup', ['target', 'add', target]) }
}

/** What the project keeps in its own folders, and parts of Rust. */
const own = [
  rustTarget('wasm32-unknown-unknown', ['demo', 'test'], 'builds the call machine for browsers'),
  ...['aarch64-linux-android', 'armv7-linux-androideabi', 'x86_64-linux-android', 'aarch64-apple-ios'].map((target) => (
    rustTarget(target, ['test'], 'compiles the native library for phones'))),
  { for: ['test'], what: 'llvm-tools of Rust', why: 'link the native library for phones and look into it', there: hasTools, install: () => run('rustup', ['component', 'add', 'llvm-tools']) },
  {
    for: ['demo', 'test'], what: 'the npm packages', why: 'TypeScript, bundler, test libraries',
    // npm writes its own copy of the lock file last.
    there: () => file('node_modules/.package-lock.json') && statSync(join(root, 'node_modules/.package-lock.json')).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs,
    install: () => run('npm', ['ci', '--no-audit', '--no-fund']),
  },
  {
    for: ['test'], what: 'Node 24, in .node', why: "runs Capacitor's command line",
    there: newNode,
    install: () => {
      mkdirSync(join(root, '.node'), { recursive: true })
      return run('npm', ['install', '--prefix', '.node', '--no-save', '--no-package-lock', `${NODE}@24.21.0`])
    },
  },
  {
    for: ['test'], what: `the Python packages of ${requirements}, in .venv`, why: 'compare what was heard with what was said',
    there: venvIsCurrent,
    install: async () => {
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]
      const code = await run('python3', ['-m', 'venv', '.venv']) || await run(join(root, '.venv/bin/python'), pip)
      if (code === 0) writeFileSync(join(root, installedRequirements), readFileSync(join(root, requirements)))
      return code
    },
  },
]

/** What is missing for `demo` or `test`: `{system, own}`, lists of needs. */
export function missing(purpose) {
  const lacking = (needs) => needs.filter((need) => need.for.includes(purpose) && !need.there())
  return { system: lacking(system), own: lacking(own) }
}

/**
 * Installs what is missing for `demo` or `test`. Goes on where something can't be had, for the rest may do without;
 * resolves with what is still missing, a list of texts. Without Rust it ends this process.
 */
export async function install(purpose) {
  if (!program('cargo')) {
    console.error('Rust is missing: https://rustup.rs installs it')
    process.exit(1)
  }
  await installSystem(missing(purpose).system)
  for (const need of missing(purpose).own) {
    console.log(`Installing ${need.what}: ${need.why}`)
    const code = await need.install()
    if (code !== 0) console.error(`  could not be installed (${code})`)
  }
  const left = missing(purpose)
  const texts = [...left.system.map((need) => `${need.what} (${need.why}): ${need.get}`), ...left.own.map((need) => `${need.what} (${need.why})`)]
  for (const text of texts) console.error(`Still missing: ${text}`)
  return texts
}

async function installSystem(needs) {
  if (needs.length === 0 || !program('apt-get')) return
  const sudo = process.getuid() === 0 ? [] : ['sudo']
  const apt = (...args) => [...sudo, 'apt-get', ...args]
  const installation = apt('install', '--yes', '--no-install-recommends', ...needs.flatMap((need) => need.apt))
  for (const need of needs) console.log(`Installing ${need.what}: ${need.why}`)
  console.log(`  ${installation.join(' ')}`)
  if (sudo.length > 0 && !program('sudo')) return console.error('  there is no sudo: run this as root')
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: 'inherit' }
  const done = async ([command, ...args]) => await run(command, args, options) === 0
  // The lists of packages may be absent or old: fetched only where the installation fails without.
  if (!await done(installation) && await done(apt('update'))) await done(installation)
}

if (process.argv[1] === import.meta.filename) {
  const args = process.argv.slice(2)
  const purpose = args[args.indexOf('--for') + 1]
  if (!['demo', 'test'].includes(purpose)) {
    console.error('usage: node scripts/install.mjs --for demo|test [--check]')
    process.exit(2)
  }
  if (args.includes('--check')) {
    const { system, own } = missing(purpose)
    for (const need of [...system, ...own]) console.log(`missing: ${need.what}: ${need.why}`)
    process.exit(system.length + own.length === 0 ? 0 : 1)
  }
  process.exit((await install(purpose)).length === 0 ? 0 : 1)
}
