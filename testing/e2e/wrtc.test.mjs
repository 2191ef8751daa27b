// An implementation that is not ours, libwebrtc, calls a phone and is called by one: speech both ways.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { Phone } from './lib/phone.mjs'
import { Server } from './lib/server.mjs'
import { assertCallHeard, sentence } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'
import { cleanUp } from './lib/world.mjs'
import { WrtcClient } from './lib/wrtc.mjs'

let server
before(async () => {
  server = await Server.start()
})
cleanUp(() => server)

const SPEECH_MS = 5_000

/** Lets both speak, hangs up, tells what was heard. */
async function talk(carol, phone) {
  carol.say(sentence('carol'))
  await pass(SPEECH_MS)
  const heard = carol.heard()
  await carol.hangup()
  assert.equal((await phone.ended).code, 0)
  assert.ok(phone.lines.includes('CallDisconnect hangup'))
  await carol.close()
  return [
    { said: sentence('carol'), heard: phone.recording, what: 'the phone hears libwebrtc' },
    { said: sentence('bob'), heard, what: 'libwebrtc hears the phone' },
  ]
}

test('libwebrtc calls a phone', { timeout: 180_000 }, async (t) => {
  await assertCallHeard(async () => {
    const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], play: sentence('bob'), record: true })
    await bob.online()
    const carol = await WrtcClient.signIn(server, 'carol')
    await carol.call('bob')
    return talk(carol, bob)
  }, t)
})

test('a phone calls libwebrtc', { timeout: 180_000 }, async (t) => {
  await assertCallHeard(async () => {
    const carol = await WrtcClient.signIn(server, 'carol')
    const bob = Phone.start({ url: server.url, user: 'bob', verb: ['call', 'carol'], play: sentence('bob'), record: true })
    await carol.answer()
    return talk(carol, bob)
  }, t)
})
