// A real Cordova app: created, the packed plugin added, built for the platform browser, run in Chromium.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { before } from 'node:test'
import { startBrowser } from './lib/browser.mjs'
import { serve } from './lib/pages.mjs'
import { root, temporary } from './lib/paths.mjs'
import { RECOGNISED, assertCallHeard, sentence } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
before(async () => {
  world = await World.start()
})
cleanUp(() => world?.server)

function run(cwd, command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, CI: '1' } })
  assert.equal(status, 0, `${command} ${args.join(' ')}:\n${stdout}\n${stderr}`)
  return stdout
}

test('an app with the packed plugin: tab to tab, speech both ways', { timeout: 240_000 }, async (t) => {
  const folder = temporary('cordova')
  const cordova = join(root, 'node_modules/.bin/cordova')
  // What is packed was built before; building it again here would take minutes.
  const tarball = join(folder, JSON.parse(run(root, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder))[0].filename)
  run(folder, cordova, 'create', 'app', 'org.example.calls', 'Calls')
  const app = join(folder, 'app')
  run(app, cordova, 'platform', 'add', 'browser@7')
  run(app, cordova, 'plugin', 'add', `cordova-plugin-jmrtc@file:${tarball}`, '--variable', `JMRTC_SERVER_URL=${world.server.url}`)
  // What the app's author has to allow: the page's policy names its server.
  const page = join(app, 'www/index.html')
  const html = readFileSync(page, 'utf8')
  const policy = html.match(/default-src [^"]*/)[0]
  const origin = new URL(world.server.url).host
  writeFileSync(page, html.replace(policy, `${policy.replace(/;?\s*$/, '')}; connect-src 'self' ws://${origin} http://${origin}; media-src * blob:`))
  run(app, cordova, 'build', 'browser')

  const site = await serve(join(app, 'platforms/browser/www'))
  const [alice, bob] = await Promise.all([startBrowser({ microphone: sentence('alice') }), startBrowser({ microphone: sentence('bob') })])
  world.pages = { url: `${site.url}/index.html`, browsers: { alice, bob } }
  // Without `serverUrl`: it comes from the plugin's variable.
  const [a, b] = await Promise.all([world.endpoint('page', 'alice', { server: undefined }), world.endpoint('page', 'bob', { server: undefined })])
  for (const { tab } of [a, b]) assert.equal(await tab.evaluate(() => window.cordova?.platformId), 'browser')
  await assertCallHeard(async () => {
    for (const who of [a, b]) who.clear()
    await a.call('startCallUsers', { usernames: ['bob'] })
    await b.until('CallReceiveInvite')
    await b.call('accept')
    await Promise.all([a.until('CallConnected'), b.until('CallConnected')])
    await Promise.all([a.record(), b.record()])
    await pass(8_500)
    const [atAlice, atBob] = [await a.finish(), await b.finish()]
    await b.call('hangup')
    await a.until('CallDisconnect')
    return [
      { said: sentence('alice'), heard: atBob, what: 'Bob hears Alice', bar: RECOGNISED },
      { said: sentence('bob'), heard: atAlice, what: 'Alice hears Bob', bar: RECOGNISED },
    ]
  }, t)
  for (const who of [a, b]) {
    assert.deepEqual(who.problems, [])
    await who.stop()
  }
  site.stop()
})
