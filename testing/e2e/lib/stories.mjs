// The stories of call-semantics section 5, each written once: what the two do, and exactly what each is told.
// `a` and `b` are endpoints of any kind (phone.mjs, browser.mjs) signed in as alice and bob, each with its own way
// to the server (`a.network`, a proxy.mjs).
import { GRACE_S, RING_S } from './server.mjs'

const S = (i, j) => `S(i: ${i}; j: ${j})`
const RINGING = S('bob', 'alice')
const BOTH = S('-', 'alice, bob')

const dialled = [`startCallUsers ok ${RINGING}`, `CallOutgoing ${RINGING}`]
const rung = [`CallReceiveInvite ${RINGING}`]
const calls = {
  alice: [...dialled, `CallConnecting ${BOTH}`, 'CallMemberJoin bob', `CallConnected ${BOTH}`],
  bob: [...rung, 'accept ok', `CallConnecting ${BOTH}`, 'CallMemberJoin alice', `CallConnected ${BOTH}`],
}

/** Alice calls Bob and it rings. */
async function ring(a, b) {
  await a.call('startCallUsers', { usernames: ['bob'] })
  await b.until('CallReceiveInvite')
}

/** Alice calls Bob, Bob accepts, both are connected. */
export async function talk(a, b) {
  await ring(a, b)
  await b.call('accept')
  await Promise.all([a.until('CallConnected'), b.until('CallConnected')])
}

/** `who` hangs up; both see the end. */
async function over(who, ...others) {
  await who.call('hangup')
  await Promise.all([who, ...others].map((e) => e.until('CallDisconnect')))
}

/** The last lines of a call that `who` of the two ends. */
const alice_hangs_up = {
  alice: ['hangup ok', 'CallDisconnect hangup'],
  bob: ['CallMemberLeave alice hangup', 'CallDisconnect hangup'],
}

const plus = (...parts) => ({ alice: parts.flatMap((p) => p.alice ?? []), bob: parts.flatMap((p) => p.bob ?? []) })

export const stories = {
  'Bob accepts, Alice hangs up': {
    async play({ a, b }) {
      await talk(a, b)
      await over(a, b)
    },
    told: plus(calls, alice_hangs_up),
  },

  'Bob accepts, Bob hangs up': {
    async play({ a, b }) {
      await talk(a, b)
      await over(b, a)
    },
    told: plus(calls, {
      alice: ['CallMemberLeave bob hangup', 'CallDisconnect hangup'],
      bob: ['hangup ok', 'CallDisconnect hangup'],
    }),
  },

  'Bob refuses': {
    async play({ a, b }) {
      await ring(a, b)
      await b.call('refuse')
      await Promise.all([a.until('CallDisconnect'), b.until('CallDisconnect')])
    },
    told: {
      alice: [...dialled, 'CallMemberLeave bob refuse', 'CallDisconnect refuse'],
      bob: [...rung, 'refuse ok', 'CallDisconnect refuse'],
    },
  },

  'Alice gives up': {
    async play({ a, b }) {
      await ring(a, b)
      await over(a, b)
    },
    told: {
      alice: [...dialled, 'hangup ok', 'CallDisconnect hangup'],
      bob: [...rung, 'CallDisconnect cancel/cancelledByInviter'],
    },
  },

  'nobody answers': {
    patience: (RING_S + 10) * 1000,
    async play({ a, b }) {
      await ring(a, b)
      await Promise.all([a.until('CallDisconnect'), b.until('CallDisconnect')])
    },
    told: {
      alice: [...dialled, 'CallMemberLeave bob cancel/noAnswer', 'CallDisconnect cancel/noAnswer'],
      bob: [...rung, 'CallDisconnect cancel/noAnswer'],
    },
  },

  'Bob is in another call': {
    needs: ['carol'],
    async play({ a, b, carol }) {
      await carol.call('startCallUsers', { usernames: ['bob'] })
      await b.until('CallReceiveInvite')
      await b.call('accept')
      await Promise.all([carol.until('CallConnected'), b.until('CallConnected')])
      b.clear()
      carol.clear()
      await a.call('startCallUsers', { usernames: ['bob'] })
      await a.until('CallDisconnect')
      // Whatever Alice's call would have told them comes before this.
      await over(carol, b)
    },
    told: {
      alice: [...dialled, 'CallMemberLeave bob busy', 'CallDisconnect busy'],
      bob: ['CallMemberLeave carol hangup', 'CallDisconnect hangup'],
      carol: ['hangup ok', 'CallDisconnect hangup'],
    },
  },

  'glare: both call each other, Bob is first': {
    async play({ a, b }) {
      a.network.hold()
      const alice = a.call('startCallUsers', { usernames: ['bob'] })
      await b.call('startCallUsers', { usernames: ['alice'] })
      await b.until('CallOutgoing')
      a.network.release()
      await alice
      await Promise.all([a.until('CallConnected'), b.until('CallConnected')])
      await over(a, b)
    },
    told: plus({
      alice: [`startCallUsers ok ${S('-', 'bob, alice')}`, `CallConnecting ${S('-', 'bob, alice')}`, 'CallMemberJoin bob', `CallConnected ${S('-', 'bob, alice')}`],
      bob: [`startCallUsers ok ${S('alice', 'bob')}`, `CallOutgoing ${S('alice', 'bob')}`, `CallConnecting ${S('-', 'bob, alice')}`, 'CallMemberJoin alice', `CallConnected ${S('-', 'bob, alice')}`],
    }, alice_hangs_up),
  },

  'glare: both call each other, Alice is first': {
    async play({ a, b }) {
      b.network.hold()
      const bob = b.call('startCallUsers', { usernames: ['alice'] })
      await a.call('startCallUsers', { usernames: ['bob'] })
      await a.until('CallOutgoing')
      b.network.release()
      await bob
      await Promise.all([a.until('CallConnected'), b.until('CallConnected')])
      await over(a, b)
    },
    told: plus({
      alice: calls.alice,
      bob: [`startCallUsers ok ${BOTH}`, `CallConnecting ${BOTH}`, 'CallMemberJoin alice', `CallConnected ${BOTH}`],
    }, alice_hangs_up),
  },

  "Bob's app dies in the call": {
    patience: (GRACE_S + 10) * 1000,
    async play({ a, b, restart }) {
      await talk(a, b)
      await b.kill()
      await a.until('CallDisconnect')
      await restart('b')
    },
    told: plus(calls, { alice: ['CallMemberLeave bob networkError', 'CallDisconnect networkError'] }),
  },

  "Alice's app dies in the call and calls again while Bob still believes in the old one": {
    async play({ a, b, restart }) {
      await talk(a, b)
      await a.kill()
      const again = await restart('a')
      await again.call('startCallUsers', { usernames: ['bob'] })
      await b.until('CallDisconnect')
      // The second ringing.
      await b.log.find(({ name }) => name === 'CallReceiveInvite', 'bob: the second CallReceiveInvite', {
        from: b.log.items.findIndex(({ name }) => name === 'CallDisconnect'),
      })
      await b.call('refuse')
      for (const who of [again, b]) await who.log.find(({ line }) => line === 'CallDisconnect refuse', `${who.user}: the second CallDisconnect`)
    },
    told: {
      alice: [...calls.alice],
      // The old call is over for her app, too, which knows it by `getState`, before there is a new one.
      'alice again': ['CallDisconnect networkError', ...dialled, 'CallMemberLeave bob refuse', 'CallDisconnect refuse'],
      bob: [...calls.bob, 'CallMemberLeave alice networkError', 'CallDisconnect networkError', ...rung, 'refuse ok', 'CallDisconnect refuse'],
    },
  },

  "Bob's signalling is lost and back": {
    async play({ a, b }) {
      await talk(a, b)
      b.network.cut()
      await b.until('CallReconnecting')
      b.network.restore()
      await b.until('CallReconnected')
      await over(a, b)
    },
    told: plus(calls, { bob: [`CallReconnecting ${BOTH}`, `CallReconnected ${BOTH}`] }, alice_hangs_up),
  },

  "Bob's network goes silent without a word": {
    async play({ a, b }) {
      await talk(a, b)
      b.network.freeze()
      await b.until('CallReconnected')
      await over(a, b)
    },
    told: plus(calls, { bob: [`CallReconnecting ${BOTH}`, `CallReconnected ${BOTH}`] }, alice_hangs_up),
  },

  "Bob's signalling is lost, and Alice hangs up meanwhile": {
    async play({ a, b }) {
      await talk(a, b)
      b.network.cut()
      await b.until('CallReconnecting')
      await a.call('hangup')
      await a.until('CallDisconnect')
      b.network.restore()
      await b.until('CallDisconnect')
    },
    // The way to the server is back before Bob is told what he missed.
    told: plus(calls, { bob: [`CallReconnecting ${BOTH}`, `CallReconnected ${BOTH}`] }, alice_hangs_up),
  },

  "Bob's signalling is lost for longer than the grace time": {
    patience: (GRACE_S + 10) * 1000,
    async play({ a, b }) {
      await talk(a, b)
      b.network.cut()
      await b.until('CallReconnecting')
      await a.until('CallDisconnect')
      b.network.restore()
      await b.until('CallDisconnect')
    },
    told: plus(calls, {
      alice: ['CallMemberLeave bob networkError', 'CallDisconnect networkError'],
      bob: [`CallReconnecting ${BOTH}`, 'CallDisconnect networkError'],
    }),
  },

  'the server stops and is back': {
    async play({ a, b, server }) {
      await talk(a, b)
      await server.stop()
      await Promise.all([a.until('CallDisconnect'), b.until('CallDisconnect')])
      await server.start()
    },
    told: plus(calls, {
      alice: ['CallDisconnect networkError/serverShutdown'],
      bob: ['CallDisconnect networkError/serverShutdown'],
    }),
  },

  'the server is killed and is back': {
    async play({ a, b, server }) {
      await talk(a, b)
      await server.kill()
      await Promise.all([a.until('CallReconnecting'), b.until('CallReconnecting')])
      await server.start()
      await Promise.all([a.until('CallDisconnect'), b.until('CallDisconnect')])
    },
    told: plus(calls, {
      alice: [`CallReconnecting ${BOTH}`, 'CallDisconnect networkError/callLost'],
      bob: [`CallReconnecting ${BOTH}`, 'CallDisconnect networkError/callLost'],
    }),
  },
}
