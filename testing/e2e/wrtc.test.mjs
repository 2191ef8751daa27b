// An implementation that is not ours, libwebrtc, calls a phone and is called by one: speech both ways.
import assert from 'node:assert/strict'
import test, { before } from 'node:test'
import { Phone } from './lib/phone.mjs'
import { Server } from './lib/server.mjs'
import { GOOD, assertHeard, sentence } from './lib/speech.mjs'
import { pass } from './lib/wait.mjs'
import { cleanUp } from './lib/world.mjs'
import { WrtcClient } from './lib/wrtc.mjs'

let server
before(async () => {
  server = await Server.start()
})
cleanUp(() => server)

const SPEECH_MS = 7_000

async function bothHeard(wrtc, phone, t) {
  wrtc.say(sentence('carol'))
  await pass(SPEECH_MS)
  const heard = wrtc.heard()
  await wrtc.hangup()
  await phone.ended
  const results = assertHeard([
    { said: sentence('carol'), heard: phone.recording, what: 'the phone hears libwebrtc', bar: GOOD },
    { said: sentence('bob'), heard, what: 'libwebrtc hears the phone', bar: GOOD },
  ])
  t.diagnostic(JSON.stringify(results))
  await wrtc.close()
}

test('libwebrtc calls a phone', { timeout: 60_000 }, async (t) => {
  const bob = Phone.start({ url: server.url, user: 'bob', verb: ['answer'], play: sentence('bob'), record: true })
  await bob.online()
  const carol = await WrtcClient.signIn(server, 'carol')
  await carol.call('bob')
  await bothHeard(carol, bob, t)
  assert.ok(bob.lines.includes('CallDisconnect hangup'))
})

test('a phone calls libwebrtc', { timeout: 60_000 }, async (t) => {
  const carol = await WrtcClient.signIn(server, 'carol')
  const bob = Phone.start({ url: server.url, user: 'bob', verb: ['call', 'carol'], play: sentence('bob'), record: true })
  await carol.answer()
  await bothHeard(carol, bob, t)
})
