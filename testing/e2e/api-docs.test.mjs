// Every example of docs/api.md and docs/migration.md in Chromium: it runs, and prints what its comments say.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { Page, startBrowser } from './lib/browser.mjs'
import { root } from './lib/paths.mjs'
import { token } from './lib/server.mjs'
import { tone } from './lib/speech.mjs'
import { pass, until } from './lib/wait.mjs'
import { World, cleanUp } from './lib/world.mjs'

const text = (name) => readFileSync(join(root, 'docs', name), 'utf8')

/** `{name, when, then, code}` of a section. */
const example = (section) => ({
  name: section.split('\n')[0],
  when: /<!-- when: (.*) -->/.exec(section)?.[1],
  then: /<!-- then: (.*) -->/.exec(section)?.[1],
  code: /```js\n([\s\S]*?)```/.exec(section)?.[1],
})
const examples = text('api.md').split(/^## /m).slice(1).map(example)
/** An app of the original plugin. */
const oldApp = { ...example(text('migration.md')), name: 'an app of the original plugin, signed in', when: 'opened' }

/** What an example says it prints, line by line; `…` is anything. */
function promised(code) {
  return [...code.matchAll(/console\.log\(.*\)\s*\/\/ (.*)$/gm)].map(([, line]) => new RegExp(`^${line.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.+')}$`))
}

let world
let bob
let carol
before(async () => {
  world = await World.start({ ringS: 30 })
  world.pages = { url: await apiPage(), browsers: { alice: await startBrowser({ microphone: tone(440) }) } }
  ;[bob, carol] = await Promise.all(['bob', 'carol'].map((user) => world.endpoint('phone', user)))
})
after(() => Promise.all([bob, carol].map((phone) => phone?.stop())))
cleanUp(() => world?.server)

/** How a page gets where an example begins. */
const states = {
  opened: async () => {},
  'signed in': (page) => page.call('login', { token: token('alice'), serverUrl: page.network.url }),
  ready: async (page) => {
    await states['signed in'](page)
    await page.call('initEngine')
  },
  'bob calls': async (page) => {
    await states.ready(page)
    await things['bob calls']()
    await page.until('CallReceiveInvite')
  },
  connected: async (page) => {
    await states.ready(page)
    await page.call('startCallUsers', { usernames: ['bob'] })
    await bob.until('CallReceiveInvite')
    await bob.call('accept')
    await Promise.all([page.until('CallConnected'), bob.until('CallConnected')])
  },
}

/** What happens after an example has run. */
const things = {
  'bob calls and hangs up': async () => {
    await things['bob calls']()
    await bob.until('CallMemberMuted alice true')
    await bob.call('hangup')
  },
  'bob calls': () => bob.call('startCallUsers', { usernames: ['alice'] }),
  'bob hangs up': () => bob.call('hangup'),
  'bob mutes': () => bob.call('setIsMuted', { muted: true }),
  'bob invites carol': () => bob.call('inviteUsers', { usernames: ['carol'] }),
  'bob invites carol, who accepts': async () => {
    await things['bob invites carol']()
    await carol.until('CallReceiveInvite')
    await carol.call('accept')
  },
  'the only microphone is unplugged': (page) => page.tab.evaluate(() => {
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('Requested device not found', 'NotFoundError') }
    for (const track of window.__e2e.tracks.filter((t) => t.readyState === 'live')) {
      track.stop()
      track.dispatchEvent(new Event('ended'))
    }
  }),
  'the network is lost': (page) => page.network.cut(),
  'the network is lost and comes back': async (page) => {
    page.network.cut()
    await page.until('CallReconnecting')
    page.network.restore()
  },
}

test('every method and event has an example', async () => {
  const types = readFileSync(join(root, 'www/src/types.ts'), 'utf8')
  const api = /export interface JmrtcApi \{([\s\S]*?)\n\}/.exec(types)[1]
  const members = [...api.matchAll(/^ {2}(\w+)[(<]/gm)].map(([, name]) => name)
  const events = members.filter((name) => name.startsWith('add')).map((name) => name.replace(/^add(.*)Listener$/, '$1'))
  const methods = members.filter((name) => !/^(add|remove)\w+Listener$/.test(name))
  assert.ok(methods.length >= 18 && events.length >= 11, 'the types were understood')
  assert.deepEqual(examples.map(({ name }) => name).toSorted(), [...methods, ...events].toSorted())
  const pairs = /const events = \[([^\]]*)\]/.exec(examples.find(({ name }) => name === 'off').code)[1]
  assert.deepEqual([...pairs.matchAll(/\w+/g)].map(([name]) => name).toSorted(), events.toSorted(), "each event's own methods are called")
  for (const { name, when, then, code } of examples) {
    assert.ok(code && promised(code).length > 0, `${name} shows no code or nothing that it prints`)
    assert.ok(states[when], `${name}: there is no state “${when}”`)
    assert.ok(then === undefined || things[then], `${name}: there is no “${then}”`)
    assert.match(code, new RegExp(`JMRTC\\.(${name}|add${name}Listener)\\(`), `${name}'s example does not use it`)
  }
})

/** Runs one example and what is to happen then; fails unless it prints what it says. */
async function play(page, { when, then, code }) {
  const printed = []
  await page.tab.exposeFunction('__print', (line) => printed.push(line))
  await states[when](page)
  const failure = await page.tab.evaluate(async ([code, token, serverUrl]) => {
    const print = { log: (...values) => window.__print(values.join(' ')) }
    // As it is pasted: `await` stands in a module or an async function only.
    const run = /\bawait\b/.test(code) ? Object.getPrototypeOf(async () => {}).constructor : Function
    try {
      await new run('JMRTC', 'console', 'token', 'serverUrl', code)(window.JMRTC, print, token, serverUrl)
    } catch (error) {
      return String(error.stack ?? JSON.stringify(error))
    }
  }, [code, token('alice'), page.network.url])
  assert.equal(failure, undefined)
  if (when === 'opened' && then) {
    await until(() => printed.length > 0, 'the app to be ready')
    await page.call('initEngine')
  }
  if (then) await things[then](page)
  const lines = promised(code)
  await until(() => printed.length >= lines.length, () => `${lines.length} lines, not ${JSON.stringify(printed)}`)
  // What must never be seen would come a moment later.
  await pass(100)
  assert.equal(printed.length, lines.length, JSON.stringify(printed))
  lines.forEach((line, i) => assert.match(printed[i], line))
  assert.deepEqual(page.problems, [])
}

for (const example of [...examples, oldApp]) {
  test(example.name, { timeout: 60_000 }, async () => {
    for (const phone of [bob, carol]) phone.clear()
    const page = await Page.open({ browser: world.pages.browsers.alice, url: world.pages.url, user: 'alice' })
    page.network = await world.network()
    try {
      await play(page, example)
    } finally {
      page.network.restore()
      await Promise.all([bob, carol].map((phone) => phone.call('hangup')))
      await bob.call('setIsMuted', { muted: false })
      // Not everybody is signed in at the end.
      await page.call('logout').catch(() => {})
      await page.stop()
      page.network.stop()
    }
  })
}
