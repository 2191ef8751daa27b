// Runs the stories with two kinds of endpoints.
import assert from 'node:assert/strict'
import test from 'node:test'
import { checkModels } from './story.mjs'
import { stories } from './stories.mjs'
import { until } from './wait.mjs'

/** One test for each story, alice being of `kinds[0]` and bob of `kinds[1]`. `world` is asked when the tests run. */
export function runStories(world, kinds, { only = Object.keys(stories), endpoints = {} } = {}) {
  const current = { carol: undefined, ...endpoints }
  let broken = false

  /** An endpoint that a failed story may have left in the middle of things is not used again. */
  async function ready(user, kind) {
    if (broken) {
      await current[user]?.kill().catch(() => {})
      current[user] = undefined
    }
    current[user] ??= await world().endpoint(kind, user)
    // Who lost the server in the story before tries again after a pause of random length.
    await until(async () => (await current[user].call('getState')).login === 'loggedIn', `${user} to be signed in`, 20_000)
    current[user].clear()
    return current[user]
  }

  for (const name of only) {
    const story = stories[name]
    test(`${kinds.join(' to ')}: ${name}`, { timeout: 60_000 }, async () => {
      const w = world()
      const a = await ready('alice', kinds[0])
      const b = await ready('bob', kinds[1])
      const carol = story.needs?.includes('carol') ? await ready('carol', 'phone') : undefined
      broken = true
      const first = { a, b }
      const cast = {
        a, b, carol,
        server: { stop: () => w.stopServer(), kill: () => w.killServer(), start: () => w.startServer() },
        /** The app of `a` or `b` is started anew on the same device. */
        async restart(who) {
          const user = who === 'a' ? 'alice' : 'bob'
          const { network } = current[user]
          current[user] = await current[user].again()
          current[user].network = network
          return (cast[who] = current[user])
        },
      }
      await story.play(cast)
      // An answer to a method comes after all events before it.
      for (const who of new Set([cast.a, cast.b, carol].filter(Boolean))) {
        const state = await who.call('getState')
        assert.equal(state.session, null, `${who.user} is still in a call`)
      }
      first.a.expect(story.told.alice)
      first.b.expect(story.told.bob)
      carol?.expect(story.told.carol)
      if (story.told['alice again']) cast.a.expect(story.told['alice again'])
      const sessions = [...checkModels(first.a), ...checkModels(first.b)]
      const starts = new Set(sessions.map((s) => s.startTime).filter(Boolean))
      const calls = new Set(sessions.filter((s) => s.startTime).map((s) => s.channelId))
      assert.equal(starts.size, calls.size, `one start time for each call: ${[...starts]}`)
      for (const who of [first.a, first.b, cast.a, cast.b]) assert.deepEqual(who.problems ?? [], [], `errors in ${who.user}'s page`)
      broken = false
    })
  }

  test(`${kinds.join(' to ')}: goodbye`, async () => {
    for (const endpoint of Object.values(current)) {
      await endpoint?.stop()
      endpoint?.network?.stop()
    }
  })
}
