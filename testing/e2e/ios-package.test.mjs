// What the packed plugin puts into an iOS app: Cordova's own tools do it, on any system.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { root, temporary } from './lib/paths.mjs'

const ID = 'cordova-plugin-jmrtc'

function run(cwd, command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, CI: '1' } })
  assert.equal(status, 0, `${command} ${args.join(' ')}:\n${stdout}\n${stderr}`)
  return stdout
}

test('everything lands in an iOS app, and leaves with the plugin', { timeout: 240_000 }, () => {
  const folder = temporary('ios')
  const cordova = join(root, 'node_modules/.bin/cordova')
  const [{ filename }] = JSON.parse(run(root, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder))
  run(folder, cordova, 'create', 'app', 'org.example.calls', 'Calls')
  const app = join(folder, 'app')
  run(app, cordova, 'platform', 'add', 'ios@8')
  const ios = join(app, 'platforms/ios')
  const read = (path) => readFileSync(join(ios, path), 'utf8')
  const landed = () => ['packages/cordova-ios-plugins/Package.swift', 'App/config.xml', 'App/App-Info.plist', 'App.xcodeproj/project.pbxproj'].map(read)
  const before = landed()

  run(app, cordova, 'plugin', 'add', `${ID}@file:${join(folder, filename)}`, '--variable', 'JMRTC_SERVER_URL=https://calls.example.com', '--variable', 'JMRTC_MICROPHONE_TEXT=For calls.')
  const [plugins, config, info] = landed()
  assert.ok(plugins.includes(`.package(name: "${ID}", path: "../${ID}")`), plugins)
  assert.ok(plugins.includes(`.product(name: "${ID}", package: "${ID}")`), plugins)
  assert.match(config, /<feature name="JMRTC">\s*<param name="ios-package" value="JmrtcPlugin" \/>/)
  assert.match(config, /<preference name="JMRTC_SERVER_URL" value="https:\/\/calls.example.com" \/>/)
  assert.match(info, /<key>NSMicrophoneUsageDescription<\/key>\s*<string>For calls.<\/string>/)
  assert.match(info, /<key>UIBackgroundModes<\/key>\s*<array>\s*<string>audio<\/string>\s*<\/array>/)

  const plugin = join(ios, 'packages', ID)
  const manifest = readFileSync(join(plugin, 'Package.swift'), 'utf8')
  assert.match(manifest, new RegExp(`name: "${ID}"`))
  assert.match(manifest, new RegExp(`\\.library\\(name: "${ID}"`))
  // Cordova puts its own copy in the place of the one dependency.
  assert.match(manifest, /\.package\(name: "cordova-ios", path: "[^"]+"\)/)
  assert.doesNotMatch(manifest, /https:/)
  for (const [, path] of manifest.matchAll(/path: "([^".]+)"/g)) assert.ok(existsSync(join(plugin, path)), path)
  for (const path of ['ios/System/JmrtcPlugin.swift', 'ios/System/PrivacyInfo.xcprivacy', 'bindings/generated/swift/JmrtcCore.swift']) {
    assert.ok(existsSync(join(plugin, path)), path)
  }
  assert.match(read(`www/plugins/${ID}/dist/cordova-native.js`), /cordova\.define\("cordova-plugin-jmrtc\.JMRTC"/)
  assert.match(read('www/cordova_plugins.js'), /window\.JMRTC/)

  run(app, cordova, 'plugin', 'rm', ID)
  assert.deepEqual(landed(), before)
  assert.ok(!existsSync(plugin))
  assert.ok(!existsSync(join(ios, 'www/plugins', ID)))
})
