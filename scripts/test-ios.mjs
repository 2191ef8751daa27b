// `npm run test:ios`: calls from Swift through the iOS bridge's own logic, the generated Swift, the real library and a
// real server, in Swift's own folder (scripts/swift.mjs). Where that can't be had it says why and succeeds.
// Builds nothing but the Swift: `npm test` has built the rest, or cargo build --workspace.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporary } from '../testing/e2e/lib/paths.mjs'
import { judgeTalk, library } from './bridge-test.mjs'
import { root } from './run.mjs'
import { inSwift, prepareSwift } from './swift.mjs'

const read = (path) => readFileSync(join(root, path), 'utf8')
const swiftFiles = (folder) => readdirSync(join(root, folder)).filter((name) => name.endsWith('.swift')).map((name) => `${folder}/${name}`)
const bridge = swiftFiles('ios/Bridge')
const shells = swiftFiles('ios/System')

// What no compiler here can tell. Cordova finds an action by its selector; decisions stay where they are tested.
const actions = [...read('ios/System/JmrtcPlugin.swift').matchAll(/@objc(?:\((\w+):\))? public func (\w+)\(_ command/g)].map(([, selector, name]) => selector ?? name)
const methods = [...read('www/src/api.ts').matchAll(/^const (?:PLAIN|WITH_PARAMS) = \[([^\]]*)\]/gm)].flatMap(([, list]) => list.match(/\w+/g))
assert.deepEqual(actions.toSorted(), ['events', ...methods].toSorted(), 'the actions of JmrtcPlugin.swift')
for (const path of bridge) {
  const imports = read(path).match(/(?<=^import )\w+/gm) ?? []
  assert.deepEqual(imports.filter((name) => !['Foundation', 'JmrtcCore'].includes(name)), [], `${path}: Foundation only`)
}
for (const path of shells) assert.doesNotMatch(read(path), /^\s*(if|guard|switch|for|while|catch)\b/m, `${path}: a shell decides`)

const why = await prepareSwift()
if (why) {
  console.log(`SKIPPED: no Swift here: ${why}`)
  process.exit(0)
}
const must = async (command, args, options) => {
  const code = await inSwift(command, args, options)
  if (code !== 0) process.exit(code)
}
const ours = ['Package.swift', 'ios', 'testing/ios/Package.swift', 'testing/ios/Tests', ...['AVFoundation', 'Cordova', 'Network', 'UIKit'].map((name) => `testing/ios/Sources/${name}`)]
await must('swift', ['format', 'lint', '--strict', '--recursive', ...ours])
await must('swiftc', ['-frontend', '-parse', ...shells])

// Without its native core the package says what is missing.
const plugin = temporary('swift-package')
cpSync(join(root, 'Package.swift'), join(plugin, 'Package.swift'))
const manifest = async () => {
  const code = await inSwift('sh', ['-c', 'swift package --package-path "$0" dump-package > "$0/said" 2>&1', plugin])
  return { code, said: readFileSync(join(plugin, 'said'), 'utf8') }
}
const without = await manifest()
assert.notEqual(without.code, 0)
assert.match(without.said, /cordova-plugin-jmrtc: no ios\/JmrtcCoreFFI\.xcframework: take a released package/)
mkdirSync(join(plugin, 'ios/JmrtcCoreFFI.xcframework'), { recursive: true })
const { code, said } = await manifest()
assert.equal(code, 0, said)
const { targets } = JSON.parse(said)
assert.deepEqual(targets.filter(({ type }) => type === 'binary').map(({ name, path }) => [name, path]), [['JmrtcCoreFFI', 'ios/JmrtcCoreFFI.xcframework']])

const copies = join(root, 'testing/ios/Sources/JmrtcCordova')
rmSync(copies, { recursive: true, force: true })
mkdirSync(copies)
for (const path of shells) writeFileSync(join(copies, path.split('/').at(-1)), read(path).replace(/@objc(\([^)]*\))? ?/g, ''))

const swift = ['--package-path', 'testing/ios', '-Xswiftc', '-warnings-as-errors', '-Xlinker', `-L${library}`]
// What is measured is sound in real time: compilers give way to it.
await must('nice', ['-n', '19', 'swift', 'build', '--quiet', '--build-tests', ...swift])

await judgeTalk('ios', ({ url, said, speechMs, out }) => must('swift', ['test', '--skip-build', ...swift, ...process.argv.slice(2)], {
  env: {
    LD_LIBRARY_PATH: library,
    JMRTC_SERVER: url,
    JMRTC_SPEECH_ALICE: said.alice,
    JMRTC_SPEECH_BOB: said.bob,
    JMRTC_SPEECH_MS: String(speechMs),
    JMRTC_OUT: out,
  },
}))
