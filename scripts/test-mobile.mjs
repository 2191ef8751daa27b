// `npm run test:mobile`: the native library for phones, as far as it goes without Android's NDK and Apple's SDK. All Rust is
// compiled and linted for each target; for two of them it is linked too, and looked into. C and C++ are empty stand-ins.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { LINK_FOR_ANDROID, faultsOfAndroid, faultsOfIos, hasTarget, hasTools, symbols, sysroot, tool } from './native-library.mjs'
import { layOutFramework } from './build-ios.mjs'
import { must, root } from './run.mjs'

const folder = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target')
const out = join(folder, 'mobile-link')
const stub = join(root, 'testing/mobile/stub-tool')
const read = (path) => readFileSync(join(root, path), 'utf8')
let failed = false

/** Says what is wrong, if anything. */
function judge(what, faults) {
  for (const fault of faults) console.error(`${what}: ${fault}`)
  console.log(`${faults.length === 0 ? 'ok' : 'FAILED'}: ${what}`)
  failed ||= faults.length > 0
}

function environment(target) {
  const name = target.replaceAll('-', '_')
  return {
    [`CARGO_TARGET_${name.toUpperCase()}_RUSTFLAGS`]: `-Dwarnings -Clinker-flavor=${target.includes('apple') ? 'ld64.lld' : 'ld.lld'}`,
    [`CARGO_TARGET_${name.toUpperCase()}_LINKER`]: tool('rust-lld'),
    [`CC_${name}`]: stub, [`CXX_${name}`]: stub, [`AR_${name}`]: stub,
  }
}

/** Runs cargo for targets, with Clippy in the place of the compiler: what is compiled is linted on the way. */
async function cargo(command, targets, ...rest) {
  const start = Date.now()
  await must('cargo', [command, '--quiet', '--package', 'jmrtc-bindings', '--lib', ...targets.flatMap((target) => ['--target', target]), ...rest], {
    env: {
      ...process.env, ...Object.assign({}, ...targets.map(environment)),
      RUSTC_WORKSPACE_WRAPPER: join(sysroot(), 'bin/clippy-driver'), CMAKE: stub, SDKROOT: root,
    },
  })
  console.log(`ok: no warning for ${targets.join(' and ')} (${Math.round((Date.now() - start) / 1000)} s)`)
}

/** What C and C++ would have brought; and unwinding, which the NDK links statically. */
const fromC = /^(opus_|ring_core_|_Unwind_|_ZNK?4oboe)/

async function linkAndroid() {
  // Nothing but names to link with.
  for (const name of ['c', 'm', 'dl', 'log', 'OpenSLES', 'unwind', 'android']) writeFileSync(join(out, `lib${name}.so`), '/* nothing */\n')
  for (const name of ['c++_static', 'c++abi']) writeFileSync(join(out, `lib${name}.a`), '!<arch>\n')
  const options = [`-L${out}`, ...LINK_FOR_ANDROID]
  await cargo('rustc', ['aarch64-linux-android'], '--crate-type', 'cdylib', '--', ...options.map((option) => `-Clink-arg=${option}`))
  const library = join(folder, 'aarch64-linux-android/debug/libjmrtc.so')
  judge('libjmrtc.so', faultsOfAndroid(library))
  const there = new Set(read('testing/mobile/android-24-symbols.txt').split('\n').filter((line) => !line.startsWith('#')))
  const newer = symbols(library, '--dynamic').wanted.filter((name) => !fromC.test(name) && !there.has(name))
  judge('what it wants of Android 7', newer.map((name) => `${name} is not in testing/mobile/android-24-symbols.txt`))
}

async function linkIos() {
  await cargo('rustc', ['aarch64-apple-ios'], '--crate-type', 'staticlib')
  const library = join(out, 'libjmrtc.dylib')
  execFileSync(tool('gcc-ld/ld64.lld'), [
    '-arch', 'arm64', '-platform_version', 'ios', '13.0', '18.0', '-dylib', '-undefined', 'dynamic_lookup', '-dead_strip', '-all_load',
    '-exported_symbol', '_uniffi_*', '-exported_symbol', '_ffi_*', '-install_name', '@rpath/JmrtcCoreFFI.framework/JmrtcCoreFFI',
    join(folder, 'aarch64-apple-ios/debug/libjmrtc.a'), '-o', library,
  ], { stdio: 'inherit' })
  const framework = layOutFramework(join(out, 'device'), library, 'iPhoneOS', '13.0')
  judge('JmrtcCoreFFI.framework', faultsOfIos(framework, '13.0'))
}

/** Does the step for those of its targets that there are, and says which there are not. */
async function step(targets, action) {
  const there = targets.filter(hasTarget)
  for (const target of targets) if (!there.includes(target)) console.log(`SKIPPED: ${target}: not there (rustup target add ${target})`)
  if (there.length === 0) return
  if (hasTools()) return action(there)
  console.log(`SKIPPED: linking ${there}: no tools to look into it (rustup component add llvm-tools)`)
  await cargo('check', there)
}

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
await step(['aarch64-linux-android'], linkAndroid)
await step(['aarch64-apple-ios'], linkIos)
await step(['armv7-linux-androideabi', 'x86_64-linux-android'], (targets) => cargo('check', targets))
process.exit(failed ? 1 : 0)
