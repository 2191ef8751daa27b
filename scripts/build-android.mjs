// `node scripts/build-android.mjs [ABI…]`: android/jniLibs/ABI/libjmrtc.so, which android/jmrtc.gradle puts into apps.
// Needs Android's NDK: ANDROID_NDK_HOME (or ANDROID_NDK_ROOT) names it, else the newest of the SDK in ANDROID_HOME is taken.
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { LINK_FOR_ANDROID, faultsOfAndroid } from './native-library.mjs'
import { must, root } from './run.mjs'

/** Android 7, as minSdk in android/build.gradle. */
const API = 24

/** Rust's name of each; Clang's, where it is another. */
const abis = {
  'arm64-v8a': { target: 'aarch64-linux-android' },
  'armeabi-v7a': { target: 'armv7-linux-androideabi', clang: 'armv7a-linux-androideabi' },
  x86_64: { target: 'x86_64-linux-android' },
}

function findNdk() {
  const named = process.env.ANDROID_NDK_HOME ?? process.env.ANDROID_NDK_ROOT
  if (named) return named
  const all = join(process.env.ANDROID_HOME ?? process.env.ANDROID_SDK_ROOT ?? '', 'ndk')
  if (!existsSync(all)) return undefined
  const newest = readdirSync(all).sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  return newest && join(all, newest)
}

/** The folder of the NDK's compilers; ends this process where there is none. */
function compilers(ndk) {
  const host = { linux: 'linux-x86_64', darwin: 'darwin-x86_64' }[process.platform]
  const bin = ndk && join(ndk, 'toolchains/llvm/prebuilt', host ?? process.platform, 'bin')
  if (bin && existsSync(bin)) return bin
  console.error(ndk ? `There is no Android NDK in ${ndk}: it has no ${bin}` : 'Android\'s NDK is missing: install it (sdkmanager --install "ndk;28.2.13676358") and set ANDROID_NDK_HOME to its folder')
  process.exit(1)
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((abi) => !(abi in abis))
if (unknown.length > 0) {
  console.error(`no such ABI: ${unknown.join(', ')} (there are ${Object.keys(abis).join(', ')})`)
  process.exit(2)
}
const ndk = findNdk()
const bin = compilers(ndk)
const chosen = Object.entries(abis).filter(([abi]) => wanted.length === 0 || wanted.includes(abi))
await must('rustup', ['component', 'add', 'llvm-tools'])
await must('rustup', ['target', 'add', ...chosen.map(([, { target }]) => target)])

let failed = false
const sizes = []
for (const [abi, { target, clang = target }] of chosen) {
  const name = target.replaceAll('-', '_')
  const compiler = join(bin, `${clang}${API}-clang`)
  await must('cargo', ['rustc', '--profile', 'library', '--package', 'jmrtc-bindings', '--lib', '--crate-type', 'cdylib', '--target', target, '--',
    // What Android 7 does not have is an error here, not on the phone.
    ...['--no-undefined', ...LINK_FOR_ANDROID].map((option) => `-Clink-arg=-Wl,${option}`)], {
    env: {
      ...process.env,
      [`CC_${name}`]: compiler, [`CXX_${name}`]: `${compiler}++`, [`AR_${name}`]: join(bin, 'llvm-ar'),
      [`CARGO_TARGET_${name.toUpperCase()}_LINKER`]: compiler,
      // For CMake.
      ANDROID_NDK_HOME: ndk, ANDROID_PLATFORM: `android-${API}`, ANDROID_STL: 'c++_static',
    },
  })
  const built = join(resolve(root, process.env.CARGO_TARGET_DIR ?? 'target'), target, 'library/libjmrtc.so')
  const faults = faultsOfAndroid(built)
  for (const fault of faults) console.error(`${abi}: ${fault}`)
  if (faults.length > 0) {
    failed = true
    continue
  }
  const library = join(root, 'android/jniLibs', abi, 'libjmrtc.so')
  mkdirSync(join(library, '..'), { recursive: true })
  copyFileSync(built, library)
  sizes.push(`${abi.padEnd(12)} ${(statSync(library).size / 1e6).toFixed(1)} MB, ${(gzipSync(readFileSync(library)).length / 1e6).toFixed(1)} MB in a download`)
}
console.log(sizes.join('\n'))
process.exit(failed ? 1 : 0)
