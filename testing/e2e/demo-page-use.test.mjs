// The demo page as a person uses it, also with the keyboard alone.
import assert from 'node:assert/strict'
import test from 'node:test'
import { leave, meter, picture, signIn, startDemo, state, visit as open } from './lib/demo-page.mjs'
import { Proxy } from './lib/proxy.mjs'
import { pass } from './lib/wait.mjs'

const demo = startDemo()
const { visit } = demo

test('refuse, cancel, sign out, sign in again', { timeout: 60_000 }, async () => {
  const [alice, bob] = await Promise.all([visit('alice', { query: '?user=alice' }), visit('bob', { query: '?user=bob' })])
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.getByRole('button', { name: 'Refuse' }).click()
  await bob.getByRole('alertdialog').waitFor({ state: 'hidden' })
  await alice.locator('#call.ended').waitFor()
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.getByRole('alertdialog').waitFor()
  await alice.getByRole('button', { name: 'Hang up' }).click()
  await bob.getByRole('alertdialog').waitFor({ state: 'hidden' })
  await bob.getByRole('button', { name: 'Sign out' }).click()
  await signIn(bob, 'bob')
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.getByRole('alertdialog').waitFor()
  await bob.keyboard.press('Escape')
  await bob.getByRole('alertdialog').waitFor({ state: 'hidden' })
  await alice.locator('#call.ended').waitFor()
  await leave(alice, bob)
})

test('Bob reloads the page in the call and is back in it', { timeout: 60_000 }, async () => {
  const [alice, bob] = await Promise.all([visit('alice', { query: '?user=alice' }), visit('bob', { query: '?user=bob' })])
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.getByRole('button', { name: 'Accept' }).click()
  await Promise.all([meter(alice, 'level-out', true), meter(bob, 'level-out', true)])
  await bob.reload()
  await state(bob, 'Connected')
  await Promise.all([meter(alice, 'level-out', true), meter(bob, 'level-out', true)])
  await bob.getByRole('button', { name: 'Mute' }).click()
  await meter(alice, 'level-out', false)
  await bob.reload()
  await state(bob, 'Connected')
  await bob.locator('#mute[aria-pressed=true]').waitFor()
  await meter(bob, 'level-out', true)
  await pass(1_000)
  const { packetsSent } = await bob.evaluate(() => JMRTC.getStats())
  assert.equal(packetsSent, 0, 'Bob was muted, and his page sends after it was loaded again')
  await bob.getByRole('button', { name: 'Hang up' }).click()
  await Promise.all([alice, bob].map((tab) => tab.locator('#call.ended').waitFor()))
  await leave(alice, bob)
})

const tile = (tab, name) => tab.getByRole('list', { name: 'In this call' }).getByRole('listitem').filter({ hasText: name })

test('Alice invites Carol into the running call; who speaks has a ring, who is muted a mark', { timeout: 60_000 }, async () => {
  const [alice, bob] = await Promise.all([visit('alice', { query: '?user=alice' }), visit('bob', { query: '?user=bob' })])
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.getByRole('button', { name: 'Accept' }).click()
  await state(alice, 'Connected')
  await alice.locator('.tile.speaking').filter({ hasText: 'bob' }).waitFor()
  await alice.getByRole('img', { name: 'Sound quality' }).waitFor()
  await bob.getByRole('button', { name: 'Mute' }).click()
  await tile(bob, 'You').filter({ hasText: 'Muted' }).waitFor()
  await tile(alice, 'bob').filter({ hasText: 'Muted' }).waitFor()
  await bob.getByRole('button', { name: 'Mute' }).click()
  await tile(alice, 'bob').filter({ hasNotText: 'Muted' }).waitFor()
  const carol = await visit('bob', { query: '?user=carol' })
  await carol.bringToFront()
  await carol.getByRole('button', { name: 'Call bob' }).waitFor()
  await alice.bringToFront()
  await alice.getByRole('button', { name: 'Call carol' }).waitFor()
  await alice.getByRole('button', { name: 'Invite', exact: true }).click()
  const sheet = alice.getByRole('dialog', { name: 'Invite to the call' })
  await sheet.getByRole('button', { name: 'Invite carol' }).click()
  await sheet.getByText('Invited').waitFor()
  assert.equal(await sheet.getByRole('button', { name: 'Invite bob' }).count(), 0, 'nobody is asked twice')
  await sheet.getByRole('button', { name: 'Close' }).click()
  await tile(alice, 'carol').filter({ hasText: 'Ringing' }).waitFor()
  await carol.bringToFront()
  await carol.getByRole('button', { name: 'Accept' }).click()
  for (const name of ['alice', 'bob', 'You']) await tile(carol, name).waitFor()
  await carol.getByRole('button', { name: 'Hang up' }).click()
  await alice.bringToFront()
  await tile(alice, 'carol').waitFor({ state: 'detached' })
  await alice.getByRole('button', { name: 'Hang up' }).click()
  await bob.bringToFront()
  await bob.locator('#call.ended').waitFor()
  await leave(alice, bob, carol)
})

test('the network is lost in a call: a banner says so until it is back', { timeout: 60_000 }, async () => {
  const network = await Proxy.start(demo.server.port)
  const alice = await open(`${network.url}/?user=alice`, { browser: demo.browsers.alice })
  const bob = await visit('bob', { query: '?user=bob' })
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.getByRole('button', { name: 'Accept' }).click()
  await state(alice, 'Connected')
  const banner = alice.getByRole('alert').filter({ hasText: 'The connection is lost' })
  await banner.waitFor({ state: 'hidden' })
  network.cut()
  await banner.waitFor()
  await state(alice, 'Reconnecting')
  await picture(alice, 'desktop-light-reconnecting')
  network.restore()
  await banner.waitFor({ state: 'hidden' })
  await state(alice, 'Connected')
  await alice.getByRole('button', { name: 'Hang up' }).click()
  await bob.locator('#call.ended').waitFor()
  // What could not be fetched meanwhile.
  alice.problems.length = 0
  await leave(alice, bob)
  network.stop()
})

test('the connection is checked without a call; a call that comes in goes first', { timeout: 90_000 }, async () => {
  const [alice, bob] = await Promise.all([visit('alice', { query: '?user=alice' }), visit('bob', { query: '?user=bob' })])
  const sheet = alice.getByRole('dialog', { name: 'Check connection' })
  await alice.getByRole('button', { name: 'Check connection' }).click()
  await sheet.getByRole('button', { name: 'Start' }).click()
  await sheet.getByRole('progressbar').waitFor()
  await sheet.getByText('Calls will work and sound well.').waitFor({ timeout: 30_000 })
  assert.equal(await sheet.getByRole('listitem').count(), 9)
  assert.equal(await alice.evaluate(() => window.__e2e.live()), 0, 'the microphone is closed again')
  await sheet.getByRole('button', { name: 'Check again' }).click()
  await sheet.getByRole('progressbar').waitFor()
  await sheet.getByRole('button', { name: 'Close' }).click()
  await alice.waitForFunction(() => window.__e2e.live() === 0)
  await alice.getByRole('button', { name: 'Check connection' }).click()
  await sheet.getByRole('button', { name: 'Start' }).click()
  await sheet.getByRole('progressbar').waitFor()
  await bob.getByRole('button', { name: 'Call alice' }).click()
  await alice.getByRole('alertdialog', { name: 'bob' }).getByRole('button', { name: 'Accept' }).click()
  await Promise.all([alice, bob].map((tab) => state(tab, 'Connected')))
  await alice.getByRole('button', { name: 'Hang up' }).click()
  await bob.locator('#call.ended').waitFor()
  await leave(alice, bob)
})

test('without a microphone a call can be refused, not accepted, and the sheet says why', { timeout: 60_000 }, async () => {
  const [alice, bob] = await Promise.all([visit('alice', { query: '?user=alice' }), visit('bob')])
  await bob.evaluate(() => {
    navigator.permissions.query = async () => ({ state: 'denied' })
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('denied', 'NotAllowedError') }
  })
  await signIn(bob, 'bob')
  await alice.getByRole('button', { name: 'Call bob' }).click()
  await bob.getByRole('alertdialog').getByRole('button', { name: 'Accept' }).click()
  await bob.getByRole('alertdialog').getByText('The microphone is blocked').waitFor()
  await bob.getByRole('alertdialog').getByRole('button', { name: 'Refuse' }).click()
  await bob.getByRole('alertdialog').waitFor({ state: 'hidden' })
  await alice.locator('#call.ended').waitFor()
  await leave(alice, bob)
})

/** Presses Tab until the focused element has this accessible name. */
async function tabTo(tab, name) {
  for (let i = 0; i < 30; i++) {
    await tab.keyboard.press('Tab')
    const found = await tab.evaluate(() => {
      const e = document.activeElement
      const style = e && getComputedStyle(e)
      return e && { name: e.getAttribute('aria-label') ?? e.textContent.trim(), ring: style.outlineStyle !== 'none' || style.boxShadow !== 'none' }
    })
    if (found?.name === name) return assert.ok(found.ring, `${name} does not show that it has the focus`)
  }
  throw new Error(`Tab does not reach ${name}`)
}

test('with the keyboard alone', { timeout: 60_000 }, async () => {
  const [alice, bob] = await Promise.all([visit('alice'), visit('bob', { query: '?user=bob' })])
  await alice.locator('#signin-name:focus').waitFor()
  await alice.keyboard.type('alice')
  await alice.keyboard.press('Enter')
  await alice.getByRole('button', { name: 'Call bob' }).waitFor()
  await tabTo(alice, 'Call bob')
  await alice.keyboard.press('Enter')
  await bob.getByRole('alertdialog').waitFor()
  await tabTo(bob, 'Accept')
  await bob.keyboard.press('Space')
  await Promise.all([state(alice, 'Connected'), state(bob, 'Connected')])
  await tabTo(alice, 'Mute')
  await alice.keyboard.press('Space')
  await alice.locator('#mute[aria-pressed=true]').waitFor()
  await tabTo(bob, 'Hang up')
  await bob.keyboard.press('Enter')
  await Promise.all([alice, bob].map((tab) => tab.locator('#call.ended').waitFor()))
  await leave(alice, bob)
})

