// The npm package as an app's author gets it: packed, put into the two example apps by Cordova's and Capacitor's own
// tools, used, and taken out again. Stand-ins take the place of the native libraries, which can't be built everywhere.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { before } from 'node:test'
import { startBrowser } from './lib/browser.mjs'
import { hearEachOther, leave, meter, signIn, state, visit } from './lib/demo-page.mjs'
import { ID, NATIVE, addedLines, capacitor, changes, checkout, elements, run, said, tree } from './lib/package.mjs'
import { serve } from './lib/pages.mjs'
import { root, temporary } from './lib/paths.mjs'
import { Server, token } from './lib/server.mjs'
import { sentence } from './lib/speech.mjs'
import { Log } from './lib/wait.mjs'
import { cleanUp } from './lib/world.mjs'

const MINUTES = 60_000
const here = temporary('package')
const tarball = join(here, 'demo', `${ID}.tgz`)
const cordovaApp = join(here, 'demo/cordova')
const capacitorApp = join(here, 'demo/capacitor')
const cordova = (...args) => run(cordovaApp, ['node_modules/.bin/cordova', ...args])
const read = (path) => readFileSync(join(here, path), 'utf8')
const filesOf = (folder) => Object.keys(tree(join(root, folder))).map((path) => `${folder}/${path}`)

const KOTLIN = [...filesOf('android/src/main/kotlin'), ...filesOf('bindings/generated/kotlin')]
/** Where a Kotlin file goes in a folder of sources. */
const kotlinIn = (sources) => KOTLIN.map((path) => `${sources}/${path.split('/kotlin/')[1]}`)
const PACKED = [
  'CHANGELOG.md', 'LICENSE', 'LICENSE-APACHE', 'LICENSE-MIT', 'Package.swift', 'README.md', 'package.json', 'plugin.xml',
  'android/consumer-rules.pro', 'android/jmrtc.gradle', ...filesOf('docs'),
  ...['cordova-browser.js', 'cordova-native.js', 'failure.d.ts', 'index.d.ts', 'index.mjs', 'jmrtc.js', 'types.d.ts'].map((name) => `dist/${name}`),
  ...['constants', 'model', 'wire'].map((name) => `dist/generated/${name}.d.ts`),
  ...['browser-preference.js', 'browser-removal.js', 'package.json'].map((name) => `hooks/${name}`),
  ...KOTLIN, ...filesOf('ios/Bridge'), ...filesOf('ios/System'), ...filesOf('bindings/generated/swift'), ...NATIVE,
]
// The app has INTERNET of its own, and must keep it when the plugin goes.
const MANIFEST = elements(readFileSync(join(root, 'android/src/main/AndroidManifest.xml'), 'utf8'), ['uses-permission', 'uses-feature', 'service'])
  .filter((element) => !element.endsWith('android.permission.INTERNET"'))
const MODULE = `plugins/${ID}/dist`

const sites = {}
const browsers = {}
let server
before(async () => {
  sites.alice = await serve(join(cordovaApp, 'platforms/browser/www'))
  sites.bob = await serve(join(capacitorApp, 'www'))
  server = await Server.start({ args: ['--origin', sites.alice.url, '--origin', sites.bob.url] })
  checkout(here)
  run(here, ['node', 'demo/apps.mjs', '--built', '--server', server.url])
  for (const user of ['alice', 'bob']) browsers[user] = await startBrowser({ microphone: sentence(user) })
}, { timeout: MINUTES })
cleanUp(() => {
  for (const site of Object.values(sites)) site.stop()
  return server
})

/** An example as it is without the plugin. Returns its package.json as it was. */
function withoutPlugin(app) {
  const path = join(app, 'package.json')
  const all = readFileSync(path, 'utf8')
  const without = JSON.parse(all)
  delete without.dependencies?.[ID]
  delete without.devDependencies?.[ID]
  delete without.cordova?.plugins
  writeFileSync(path, JSON.stringify(without, null, 2))
  return JSON.parse(all)
}

/** Each of these files has got these lines, and no other file has changed but those for `others`. */
function assertLines(before, after, lines, others) {
  assert.deepEqual(changes(before, after).changed, [...Object.keys(lines), ...others].toSorted())
  for (const [path, expected] of Object.entries(lines)) assert.deepEqual(addedLines(before[path], after[path]), expected, path)
}

test('the tarball holds what apps need and nothing else', () => {
  const packed = run(here, ['tar', '--list', '--gzip', '--file', tarball]).trim().split('\n')
  assert.deepEqual(packed.toSorted(), PACKED.map((path) => `package/${path}`).toSorted())
  // What plugin.xml and Package.swift name is there.
  const sources = [...read('plugin.xml').matchAll(/ src="(.*?)"/g)].map(([, path]) => path)
  const folders = [...read('Package.swift').matchAll(/(?:path:|core =) "(.*?)"/g)].map(([, path]) => path)
  assert.ok(sources.length > KOTLIN.length && folders.length === 4)
  for (const path of sources) assert.ok(PACKED.includes(path), path)
  for (const path of folders) assert.ok(PACKED.some((file) => file.startsWith(`${path}/`)), path)
  // So is what its texts link to. The description of the first API is a quotation, links and all.
  for (const path of PACKED.filter((path) => path.endsWith('.md') && path !== 'docs/seed-api.md')) {
    const prose = read(path).replaceAll(/```[^]*?```/g, '')
    for (const [, link] of prose.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      const target = join(dirname(path), link)
      assert.ok(PACKED.some((file) => file === target || file.startsWith(join(target, '/'))), `${path} links to ${link}`)
    }
  }
})

const cordovas = {}

test('cordova plugin add', { timeout: 3 * MINUTES }, () => {
  const example = withoutPlugin(cordovaApp)
  run(cordovaApp, ['npm', 'install'])
  cordova('platform', 'add', 'android@15', 'ios@8', 'browser@7')
  cordova('prepare')
  cordovas.before = tree(cordovaApp)
  const variables = { JMRTC_SERVER_URL: server.url, JMRTC_MICROPHONE_TEXT: 'The people you call hear you.' }
  cordova('plugin', 'add', `${ID}@file:${tarball}`, ...Object.entries(variables).flatMap(([name, value]) => ['--variable', `${name}=${value}`]))
  cordova('prepare')
  const after = cordovas.after = tree(cordovaApp)

  const { added, removed } = changes(cordovas.before, after)
  assert.deepEqual(removed, [])
  const www = ['platforms/android/platform_www', 'platforms/android/app/src/main/assets/www', 'platforms/ios/platform_www', 'platforms/ios/www', 'platforms/browser/platform_www', 'platforms/browser/www']
  assert.deepEqual(added, [
    ...PACKED.flatMap((path) => [`plugins/${ID}/${path}`, `platforms/ios/packages/${ID}/${path}`]),
    ...kotlinIn('platforms/android/app/src/main/kotlin'),
    `platforms/android/${ID}/calls-jmrtc.gradle`,
    ...www.flatMap((folder) => [`${folder}/cordova_plugins.js`, `${folder}/${MODULE}/cordova-${folder.includes('browser') ? 'browser' : 'native'}.js`]),
    ...['android', 'browser', 'fetch', 'ios'].map((name) => `plugins/${name}.json`),
  ].toSorted())
  const preference = `<preference name="JMRTC_SERVER_URL" value="${server.url}" />`
  assertLines(cordovas.before, after, {
    'platforms/android/app/build.gradle': [`apply from: "../${ID}/calls-jmrtc.gradle"`],
    'platforms/android/app/src/main/res/xml/config.xml': [
      '<feature name="JMRTC">', '<param name="android-package" value="io.github.jmrtc.cordova.JmrtcPlugin" />', '</feature>',
      preference, '<preference name="GradlePluginKotlinEnabled" value="true" />',
    ],
    'platforms/android/gradle.properties': ['kotlin.code.style=official'],
    'platforms/android/project.properties': [`cordova.gradle.include.1=${ID}/calls-jmrtc.gradle`],
    'platforms/browser/www/config.xml': [preference],
    'platforms/ios/App/App-Info.plist': [
      '<key>NSMicrophoneUsageDescription</key>', '<string>The people you call hear you.</string>',
      '<key>UIBackgroundModes</key>', '<array>', '<string>audio</string>', '</array>',
    ],
    'platforms/ios/App/config.xml': ['<feature name="JMRTC">', '<param name="ios-package" value="JmrtcPlugin" />', '</feature>', preference],
    'platforms/ios/packages/cordova-ios-plugins/Package.swift': [
      `package.dependencies.append(.package(name: "${ID}", path: "../${ID}"))`,
      `package.targets.first?.dependencies.append(.product(name: "${ID}", package: "${ID}"))`,
    ],
  }, [
    ...['android', 'ios', 'browser'].map((platform) => `platforms/${platform}/${platform}.json`),
    'package.json', 'platforms/android/app/src/main/AndroidManifest.xml', 'platforms/android/cdv-gradle-config.json',
  ])
  const manifest = 'platforms/android/app/src/main/AndroidManifest.xml'
  assert.deepEqual(addedLines(cordovas.before[manifest], after[manifest]).flatMap((line) => elements(line, ['.*'])).toSorted(), MANIFEST)
  assert.equal(JSON.parse(after['platforms/android/cdv-gradle-config.json']).IS_GRADLE_PLUGIN_KOTLIN_ENABLED, true)
  // The example's package.json is what these commands write.
  Object.assign(example.cordova.plugins[ID], variables)
  assert.deepEqual(JSON.parse(after['package.json']), example)

  const { [`plugins/${ID}/Package.swift`]: packed, [`platforms/ios/packages/${ID}/Package.swift`]: used } = after
  assert.equal(used, packed.replace(/\.package\(url: .*\)/, '.package(name: "cordova-ios", path: "../cordova-ios")'))
  assert.notEqual(used, packed)
})

const capacitors = {}
const capacitorTree = () => Object.fromEntries(Object.entries(tree(capacitorApp)).filter(([path]) => !path.startsWith('www/')))

test('npm install, npx cap sync', { timeout: 2 * MINUTES }, () => {
  const example = withoutPlugin(capacitorApp)
  run(capacitorApp, ['npm', 'install'])
  capacitor(capacitorApp, 'add', 'android')
  capacitor(capacitorApp, 'add', 'ios')
  capacitor(capacitorApp, 'sync')
  capacitors.before = capacitorTree()
  run(capacitorApp, ['npm', 'install', tarball])
  const told = capacitor(capacitorApp, 'sync')
  const after = capacitors.after = capacitorTree()
  assert.deepEqual(JSON.parse(after['package.json']), example)

  const { added, removed } = changes(capacitors.before, after)
  assert.deepEqual(removed, [])
  const assets = ['android/app/src/main/assets/public', 'ios/App/App/public']
  assert.deepEqual(added, [
    ...kotlinIn('android/capacitor-cordova-android-plugins/src/main/kotlin'),
    ...assets.map((folder) => `${folder}/${MODULE}/cordova-native.js`),
  ].toSorted())
  const applied = `apply from: "../../node_modules/${ID}/android/jmrtc.gradle"`
  const feature = (platform, name) => ['<feature name="JMRTC">', `<param name="${platform}-package" value="${name}"/>`, '</feature>']
  assertLines(capacitors.before, after, {
    'android/app/capacitor.build.gradle': [applied],
    'android/app/src/main/res/xml/config.xml': feature('android', 'io.github.jmrtc.cordova.JmrtcPlugin'),
    'ios/App/App/config.xml': feature('ios', 'JmrtcPlugin'),
    'ios/App/CapApp-SPM/Package.swift': [
      `.package(name: "${ID}", path: "../../../node_modules/${ID}")`, `.product(name: "${ID}", package: "${ID}")`,
    ],
  }, [
    ...assets.flatMap((folder) => [`${folder}/cordova.js`, `${folder}/cordova_plugins.js`]),
    'android/capacitor-cordova-android-plugins/build.gradle', 'android/capacitor-cordova-android-plugins/src/main/AndroidManifest.xml',
    'ios/App/App/capacitor.config.json', 'package.json',
  ])
  const library = 'android/capacitor-cordova-android-plugins'
  const gradle = addedLines(capacitors.before[`${library}/build.gradle`], after[`${library}/build.gradle`])
  for (const line of [applied, "apply plugin: 'kotlin-android'", "main.java.srcDirs += 'src/main/kotlin'"]) assert.ok(gradle.includes(line), line)
  const manifest = `${library}/src/main/AndroidManifest.xml`
  assert.deepEqual(addedLines(capacitors.before[manifest], after[manifest]).flatMap((line) => elements(line, ['.*'])).toSorted(), MANIFEST)
  for (const platform of ['android/app/src/main/res/xml', 'ios/App/App']) {
    assert.match(after[`${platform}/config.xml`], /<preference name="JMRTC_SERVER_URL" value="https:\/\/calls\.example\.org" \/>/)
  }

  // What Capacitor leaves to the app's author is what README names.
  const byHand = [...told.matchAll(/<key>(\w+)<\/key>/g)].map(([, key]) => key).toSorted()
  assert.deepEqual(byHand, ['NSMicrophoneUsageDescription', 'UIBackgroundModes'])
  for (const key of byHand) assert.ok(read('README.md').includes(key), `README names ${key}`)

  const plugin = tree(join(capacitorApp, 'node_modules', ID))
  assert.deepEqual(Object.keys(plugin), PACKED.toSorted())
  assert.match(plugin['Package.swift'], /\.package\(url: "[^"]*\/capacitor-swift-pm\.git", from: "8\.\d+\.\d+"\)/)
  assert.match(plugin['Package.swift'], /\.product\(name: "Cordova", package: "capacitor-swift-pm"\)/)
  assert.doesNotMatch(plugin['Package.swift'], /"cordova-ios"|apache/)
})

test('Gradle gives an app libraries, native libraries and rules, once; without native libraries it says so', { timeout: 2 * MINUTES }, () => {
  // Cordova's layout, with what Capacitor applies besides: one start of Gradle for both.
  const folder = join(temporary('gradle'), 'platforms/android')
  cpSync(join(cordovaApp, 'plugins'), join(folder, '../../plugins'), { recursive: true })
  cpSync(join(cordovaApp, 'platforms/android', ID), join(folder, ID), { recursive: true })
  const projects = {
    app: { kind: 'application', gradleFile: `../${ID}/calls-jmrtc.gradle` },
    capacitorApp: { kind: 'application', gradleFile: join(capacitorApp, `node_modules/${ID}/android/jmrtc.gradle`) },
    capacitorPlugins: { kind: 'library', gradleFile: join(capacitorApp, `node_modules/${ID}/android/jmrtc.gradle`) },
  }
  for (const [name, properties] of Object.entries(projects)) {
    mkdirSync(join(folder, name))
    cpSync(join(root, 'testing/e2e/gradle/build.gradle'), join(folder, name, 'build.gradle'))
    writeFileSync(join(folder, name, 'gradle.properties'), Object.entries(properties).map((pair) => pair.join('=')).join('\n'))
  }
  for (const kind of ['application', 'library']) {
    const ids = join(folder, 'standin', kind, 'META-INF/gradle-plugins')
    mkdirSync(ids, { recursive: true })
    writeFileSync(join(ids, `com.android.${kind}.properties`), 'implementation-class=org.gradle.api.plugins.JavaLibraryPlugin')
  }
  writeFileSync(join(folder, 'settings.gradle'), `include ${Object.keys(projects).map((name) => `'${name}'`).join(', ')}`)
  const gradle = ['gradle', '--no-daemon', '--offline', '--quiet', '--gradle-user-home', temporary('gradle-home')]

  const told = run(folder, [...gradle, 'tell']).split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  const pom = readFileSync(join(root, 'testing/android/platform/pom.xml'), 'utf8')
  const tested = (artifact) => pom.match(new RegExp(`<artifactId>${artifact}</artifactId><version>([\\d.]+)</version>`))[1]
  const libraries = [
    'androidx.annotation:annotation:1.9.1', `net.java.dev.jna:jna:${tested('jna')}`,
    `org.jetbrains.kotlinx:kotlinx-coroutines-core:${tested('kotlinx-coroutines-core-jvm')}`,
  ]
  const ofApp = (plugin) => ({ kind: 'application', libraries, jniLibs: [join(plugin, 'android/jniLibs')], rules: [join(plugin, 'android/consumer-rules.pro')] })
  assert.deepEqual(told, [
    ofApp(join(folder, '../../plugins', ID)), ofApp(join(capacitorApp, 'node_modules', ID)),
    { kind: 'library', libraries, jniLibs: [], rules: [] },
  ])
  const own = [...readFileSync(join(root, 'android/build.gradle'), 'utf8').matchAll(/implementation '(.*?)(?:@aar)?'/g)].map(([, library]) => library)
  assert.deepEqual(own, libraries, 'android/build.gradle')

  rmSync(join(folder, '../../plugins', ID, 'android/jniLibs'), { recursive: true })
  assert.match(run(folder, [...gradle, ':app:tell'], { fails: true }), /cordova-plugin-jmrtc: no native libraries in .*jniLibs: take a released package/)
})

/** Runs before the page's scripts, in the place of an app's native code: keeps what is called, answers what is asked. */
function nativeCode({ platform, state }) {
  const native = (window.__native = { calls: [], answer: (id, result, keep = false) => window.cordova.callbackFromNative(id, true, 1, [JSON.stringify(result)], keep) })
  const receive = ({ type, callbackId, service, action, actionArgs }) => {
    if (type !== 'cordova') return
    native.calls.push([service, action, actionArgs])
    if (action === 'events') native.event = (event) => native.answer(callbackId, event, true)
    else setTimeout(() => native.answer(callbackId, action === 'getState' ? state : null))
  }
  if (platform === 'android') window.androidBridge = { postMessage: (text) => receive(JSON.parse(text)) }
  else window.webkit = { messageHandlers: { bridge: { postMessage: receive } } }
  window.Capacitor = { DEBUG: false, isLoggingEnabled: false, Plugins: {} }
}

test('a bundled app in Capacitor calls native code', { timeout: 2 * MINUTES }, async () => {
  run(capacitorApp, ['npm', 'run', '--silent', 'build'])
  capacitor(capacitorApp, 'copy')
  const parts = {
    android: { assets: 'android/app/src/main/assets/public', bridge: 'android/capacitor/src/main/assets' },
    ios: { assets: 'ios/App/App/public', bridge: 'ios/Capacitor/Capacitor/assets' },
  }
  for (const [platform, { assets, bridge }] of Object.entries(parts)) {
    const file = (path) => readFileSync(join(capacitorApp, path), 'utf8')
    const site = await serve(join(capacitorApp, assets))
    const tab = await browsers.alice.newPage()
    const problems = []
    tab.on('pageerror', (error) => problems.push(String(error)))
    tab.on('websocket', (socket) => problems.push(`opened ${socket.url()}`))
    const signedOut = { login: 'loggedOut', engine: 'none', session: null }
    await tab.addInitScript(nativeCode, { platform, state: signedOut })
    // In Capacitor's order.
    for (const path of [`node_modules/@capacitor/${bridge}/native-bridge.js`, `${assets}/cordova.js`, `${assets}/${MODULE}/cordova-native.js`, `${assets}/cordova_plugins.js`]) {
      await tab.addInitScript(file(path))
    }
    await tab.goto(site.url)
    await tab.getByLabel('Your name').waitFor()
    const seen = await tab.evaluate(async () => {
      const invited = new Promise((resolve) => JMRTC.addCallReceiveInviteListener(resolve))
      const result = await JMRTC.login({ token: 't' })
      window.__native.event({ name: 'CallReceiveInvite', payload: { channelId: '7', inviter: { username: 'bob' } } })
      return { result, channel: (await invited).channelId, one: JMRTC === window.cordova.require('cordova-plugin-jmrtc.JMRTC'), calls: window.__native.calls }
    })
    assert.equal(seen.channel, '7', platform)
    assert.ok(seen.one, `${platform}: what is imported is what the plugin made`)
    assert.deepEqual(seen.calls.slice(0, 2), [['JMRTC', 'events', []], ['JMRTC', 'login', ['{"token":"t"}']]])
    assert.deepEqual(problems, [], platform)
    await tab.close()
    site.stop()
  }
})

test("README's first call, bundled", { timeout: MINUTES }, async () => {
  const [, code] = read('README.md').match(/## The first call\s+```js\n(.*?)```/s)
  assert.ok(code.trim().split('\n').length <= 20)
  writeFileSync(join(capacitorApp, 'first-call.js'), code)
  run(capacitorApp, ['node_modules/.bin/esbuild', 'first-call.js', '--bundle', '--format=esm', '--outfile=bundled.js'])
  const script = readFileSync(join(capacitorApp, 'bundled.js'))
  const page = '<!doctype html><button id="call">Call</button><button id="hang-up">Hang up</button><script type="module" src="bundled.js"></script>'
  const [alice, bob] = await Promise.all(['alice', 'bob'].map(async (user) => {
    const tab = await browsers[user].newPage()
    tab.said = new Log()
    tab.on('console', (message) => tab.said.push(message.text()))
    tab.on('pageerror', (error) => tab.said.push(String(error)))
    tab.on('dialog', (dialog) => {
      tab.said.push(dialog.message())
      dialog.accept()
    })
    await tab.route('**/bundled.js', (route) => route.fulfill({ contentType: 'text/javascript', body: script }))
    await tab.route('https://backend.example.org/token', (route) => route.fulfill({ headers: { 'access-control-allow-origin': '*' }, body: token(user) }))
    // A page of the server's own address, so no server is named.
    await tab.goto(`${server.url}/healthz`)
    await tab.setContent(page)
    await tab.waitForFunction(() => document.querySelector('#hang-up').onclick)
    return tab
  }))
  const hears = (tab, words) => tab.said.find((line) => line.startsWith(words), words)
  await alice.click('#call')
  await Promise.all([hears(alice, 'talking'), hears(bob, 'talking')])
  await alice.click('#hang-up')
  await Promise.all([hears(alice, 'over:'), hears(bob, 'over:')])
  assert.deepEqual(alice.said.items.map((line) => line.split(' ')[0]), ['talking', 'over:'])
  assert.deepEqual(bob.said.items.map((line) => line.split(' ')[0]), ['alice', 'talking', 'over:'])
  for (const tab of [alice, bob]) await tab.close()
})

test("a call from Cordova's browser platform to Capacitor's web build, speech both ways", { timeout: 3 * MINUTES }, async (t) => {
  const [alice, bob] = await Promise.all(['alice', 'bob'].map(async (user) => {
    const tab = await visit(`${sites[user].url}/index.html`, { browser: browsers[user] })
    await signIn(tab, user)
    return tab
  }))
  assert.equal(await alice.evaluate(() => window.cordova.platformId), 'browser')
  assert.equal(await bob.evaluate(() => window.cordova), undefined)
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.getByRole('button', { name: 'Accept' }).click()
  await Promise.all([state(alice, 'Connected'), state(bob, 'Connected')])
  await Promise.all([meter(alice, 'level-out', true), meter(bob, 'level-out', true)])
  await hearEachOther(alice, bob, t)
  await bob.getByRole('button', { name: 'Hang up' }).click()
  await alice.locator('#call.ended').waitFor()

  // Where the app names no server, the plugin's variable does.
  assert.equal(await alice.evaluate(async (token) => {
    await JMRTC.logout()
    await JMRTC.login({ token })
    return (await JMRTC.getState()).login
  }, token('alice')), 'loggedIn')
  await leave(alice, bob)
})

/** What Cordova itself makes when the first plugin comes or goes, and keeps. */
const CORDOVAS = [
  'platforms/android/app/src/main/assets/www/cordova_plugins.js', 'platforms/android/platform_www/cordova_plugins.js',
  'platforms/browser/platform_www/cordova_plugins.js', 'platforms/browser/www/cordova_plugins.js', 'platforms/ios/Podfile',
  'platforms/ios/platform_www/cordova_plugins.js', 'platforms/ios/pods.json', 'platforms/ios/www/cordova_plugins.js',
  'plugins/android.json', 'plugins/browser.json', 'plugins/fetch.json', 'plugins/ios.json',
]
const KEPT = { 'platforms/android/gradle.properties': ['kotlin.code.style=official'] }

test('cordova plugin remove leaves nothing of it; npm install and cordova prepare bring it back', { timeout: 3 * MINUTES }, () => {
  const example = JSON.parse(cordovas.after['package.json'])
  cordova('plugin', 'remove', ID)
  cordova('prepare')
  const after = tree(cordovaApp)
  const { added, removed, changed } = changes(cordovas.before, after)
  assert.deepEqual({ added, removed }, { added: CORDOVAS, removed: [] })
  for (const path of added) assert.doesNotMatch(after[path], /jmrtc/i, path)
  for (const path of changed) {
    if (path in KEPT) assert.deepEqual(addedLines(cordovas.before[path], after[path]), KEPT[path])
    else if (path.endsWith('.json')) assert.deepEqual(said(after[path]), said(cordovas.before[path]), path)
    else assert.equal(after[path], cordovas.before[path], path)
  }

  writeFileSync(join(cordovaApp, 'package.json'), JSON.stringify(example, null, 2))
  run(cordovaApp, ['npm', 'install'])
  cordova('prepare')
  const again = tree(cordovaApp)
  const { added: more, removed: less } = changes(cordovas.after, again)
  assert.deepEqual({ more, less }, { more: CORDOVAS.filter((path) => /Podfile|pods/.test(path)), less: [] })
})

test('npm uninstall and npx cap sync leave nothing of it', { timeout: MINUTES }, () => {
  for (const file of ['www/main.js', 'first-call.js', 'bundled.js']) rmSync(join(capacitorApp, file))
  run(capacitorApp, ['npm', 'uninstall', ID])
  capacitor(capacitorApp, 'sync')
  const after = capacitorTree()
  assert.deepEqual(changes(capacitors.before, after), { added: [], removed: [], changed: ['package.json'] })
  assert.deepEqual(JSON.parse(after['package.json']), JSON.parse(capacitors.before['package.json']))
})
