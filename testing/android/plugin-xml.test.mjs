// plugin.xml, the manifest and the Gradle files say the same; every file that they name is there and goes to its place.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { root } from '../../scripts/run.mjs'

const read = (path) => readFileSync(join(root, path), 'utf8')
const all = (text, pattern) => [...text.matchAll(pattern)].map((m) => m[1])
const android = read('plugin.xml').match(/<platform name="android">[\s\S]*?<\/platform>/)[0]
const sources = [...android.matchAll(/<source-file src="(.*?)" target-dir="(.*?)"\/>/g)].map(([, src, target]) => ({ src, target }))

test('the manifests are alike', () => {
  const elements = /(<(?:uses-permission|uses-feature|service) .*?\/>)/g
  const own = all(read('android/src/main/AndroidManifest.xml'), elements)
  assert.equal(own.length, 8)
  assert.deepEqual(all(android, elements).sort(), own.sort())
})

test('every source goes to the folder of its package', () => {
  const folder = 'android/src/main/kotlin/io/github/jmrtc/cordova'
  const there = readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
  assert.deepEqual(sources.map(({ src }) => src).sort(), [...there, 'bindings/generated/kotlin/io/github/jmrtc/core/jmrtc.kt'].sort())
  for (const { src, target } of sources) {
    const name = read(src).match(/^package (.*)$/m)[1]
    assert.equal(target, `app/src/main/kotlin/${name.replaceAll('.', '/')}`, src)
  }
})

test('the classes that are named are there', () => {
  const names = [...all(android, /"android-package" value="(.*?)"/g), ...all(android, /<service android:name="(.*?)"/g)]
  assert.equal(names.length, 2)
  for (const name of names) {
    const source = sources.find(({ src }) => src.endsWith(`/${name.replaceAll('.', '/')}.kt`))
    assert.match(read(source.src), new RegExp(`^class ${name.split('.').at(-1)} `, 'm'))
  }
})

test('the package holds what plugin.xml names', () => {
  const { files } = JSON.parse(read('package.json'))
  const named = [...sources.map(({ src }) => src), ...all(android, /<framework src="(.*?)"/g), 'android/consumer-rules.pro']
  for (const path of named) {
    assert.ok(existsSync(join(root, path)), path)
    assert.ok(files.some((f) => path === f || (f.endsWith('/') && path.startsWith(f))), `package.json: files lack ${path}`)
  }
})

test('apps get the libraries that are tested', () => {
  const libraries = (path) => all(read(path), /implementation '(.*?)'/g)
  const app = libraries('android/jmrtc.gradle')
  assert.equal(app.length, 3)
  assert.deepEqual(libraries('android/build.gradle'), app)
  const pom = read('testing/android/platform/pom.xml')
  for (const [, artifact, version] of [...app.join('\n').matchAll(/:(jna|kotlinx-coroutines-core):([\d.]+)/g)]) {
    assert.match(pom, new RegExp(`<artifactId>${artifact}(-jvm)?</artifactId><version>${version}</version>`), artifact)
  }
})
