// `node scripts/build-ios.mjs`: ios/JmrtcCoreFFI.xcframework, for devices and simulators. Needs a Mac with Xcode.
// Debug symbols go to target/ios/*.dSYM: what a crash report is read with, and no part of the package.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { faultsOfIos } from './native-library.mjs'
import { must, root } from './run.mjs'

const NAME = 'JmrtcCoreFFI'
const generated = join(root, 'bindings/generated/swift')

/** One simulator framework holds both kinds of Mac. Simulators on Apple's own processors begin with iOS 14. */
const slices = [
  { platform: 'iPhoneOS', minimum: '13.0', targets: ['aarch64-apple-ios'] },
  { platform: 'iPhoneSimulator', minimum: '14.0', targets: ['aarch64-apple-ios-sim', 'x86_64-apple-ios'] },
]

/** Makes `folder`/JmrtcCoreFFI.framework of a dynamic library; returns its path. */
export function layOutFramework(folder, library, platform, minimum) {
  const framework = join(folder, `${NAME}.framework`)
  rmSync(framework, { recursive: true, force: true })
  for (const part of ['Headers', 'Modules']) mkdirSync(join(framework, part), { recursive: true })
  copyFileSync(library, join(framework, NAME))
  copyFileSync(join(generated, `${NAME}.h`), join(framework, 'Headers', `${NAME}.h`))
  const module = readFileSync(join(generated, `${NAME}.modulemap`), 'utf8')
  writeFileSync(join(framework, 'Modules/module.modulemap'), module.replace(/^module /, 'framework module '))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const entries = {
    CFBundleExecutable: NAME, CFBundleIdentifier: `io.github.jmrtc.${NAME}`, CFBundleInfoDictionaryVersion: '6.0', CFBundleName: NAME,
    CFBundlePackageType: 'FMWK', CFBundleShortVersionString: version, CFBundleVersion: version, MinimumOSVersion: minimum,
  }
  writeFileSync(join(framework, 'Info.plist'), `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
${Object.entries(entries).map(([key, value]) => `  <key>${key}</key><string>${value}</string>`).join('\n')}
  <key>CFBundleSupportedPlatforms</key><array><string>${platform}</string></array>
</dict>
</plist>
`)
  return framework
}

async function build() {
  if (spawnSync('xcodebuild', ['-version'], { stdio: 'ignore' }).status !== 0) {
    console.error('Xcode is missing: this needs a Mac with Xcode (xcodebuild -version has to work)')
    process.exit(1)
  }
  const cargoFolder = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target')
  const out = join(cargoFolder, 'ios')
  rmSync(out, { recursive: true, force: true })
  await must('rustup', ['component', 'add', 'llvm-tools'])
  await must('rustup', ['target', 'add', ...slices.flatMap(({ targets }) => targets)])
  const frameworks = []
  for (const { platform, minimum, targets } of slices) {
    const folder = join(out, platform)
    mkdirSync(folder, { recursive: true })
    for (const target of targets) {
      await must('cargo', ['rustc', '--profile', 'library', '--package', 'jmrtc-bindings', '--lib', '--crate-type', 'cdylib', '--target', target,
        '--config', 'profile.library.strip="none"', '--config', 'profile.library.debug="line-tables-only"',
        '--', `-Clink-arg=-Wl,-install_name,@rpath/${NAME}.framework/${NAME}`], {
        env: { ...process.env, IPHONEOS_DEPLOYMENT_TARGET: minimum },
      })
    }
    const library = join(folder, NAME)
    await must('lipo', ['-create', ...targets.map((target) => join(cargoFolder, target, 'library/libjmrtc.dylib')), '-output', library])
    await must('dsymutil', [library, '-o', join(out, `${platform}.dSYM`)])
    await must('strip', ['-x', library])
    const framework = layOutFramework(folder, library, platform, minimum)
    const faults = faultsOfIos(framework, minimum)
    for (const fault of faults) console.error(`${platform}: ${fault}`)
    if (faults.length > 0) process.exit(1)
    frameworks.push(framework)
  }
  const xcframework = join(root, `ios/${NAME}.xcframework`)
  rmSync(xcframework, { recursive: true, force: true })
  await must('xcodebuild', ['-create-xcframework', ...frameworks.flatMap((framework) => ['-framework', framework]), '-output', xcframework])
  for (const framework of frameworks) {
    const bytes = statSync(join(framework, NAME)).size
    console.log(`${dirname(framework).split('/').at(-1).padEnd(16)} ${(bytes / 1e6).toFixed(1)} MB`)
  }
  if (!existsSync(join(xcframework, 'Info.plist'))) throw new Error('xcodebuild left no framework')
  console.log(`${xcframework}\n${execFileSync('du', ['-sh', xcframework], { encoding: 'utf8' }).split('\t')[0]}`)
}

if (process.argv[1] === import.meta.filename) await build()
