// What an endpoint did and was told, as lines that a test can write down.
import { Log } from './wait.mjs'

/** Methods that only look, and the set-up, are no part of a story. */
export const QUIET = new Set(['getState', 'isMuted', 'isSpeakerphoneEnabled', 'getUserInfo', 'updateMyInfo', 'updateRelation', 'getRelations', 'getCallHistory'])

const names = (users) => (users.length === 0 ? '-' : users.map((u) => u.username).join(', '))

/** `S(i: bob; j: alice)`: the session's inviting and joined members. */
export const members = (session) => `S(i: ${names(session.invitingMembers)}; j: ${names(session.joinedMembers)})`

const why = ({ reason, detail }) => (detail ? `${reason}/${detail}` : reason)

/** One event in one line. */
export function eventLine(name, payload) {
  switch (name) {
    case 'CallOutgoing':
    case 'CallReceiveInvite':
    case 'CallConnecting':
    case 'CallConnected':
    case 'CallReconnecting':
    case 'CallReconnected':
      return `${name} ${members(payload)}`
    case 'CallMemberJoin':
      return `${name} ${payload.username}`
    case 'CallMemberLeave':
      return `${name} ${payload.user.username} ${why(payload)}`
    case 'CallDisconnect':
      return `${name} ${why(payload)}`
    case 'CallOtherUserInvited':
      return `${name} ${names(payload.invitedUsers)} by ${payload.fromUser.username}`
    case 'CallMemberMuted':
      return `${name} ${payload.user.username} ${payload.muted}`
    case 'CallError':
      return `${name} ${payload.code} ${payload.name}`
    default:
      return `${name} (unknown event) ${JSON.stringify(payload)}`
  }
}

/** One method's answer in one line. */
export function replyLine(method, { result, error }) {
  if (error) return `${method} fails ${error.code} ${error.name}`
  if (method === 'startCallUsers') return `${method} ok ${members(result)}`
  return `${method} ok`
}

/** What every endpoint of these tests has: a log of answers and events in the order in which the app got them. */
export class Diary {
  /** `{line, name, payload}` of an event or `{line, method, result, error}` of an answer. */
  log = new Log()

  /** Who spoke, each time that it changed: depends on what is said, and is no part of the story. */
  speakers = new Log()
  /** How it sounded, as it was told. No part of the story: it depends on the machine. */
  quality = new Log()

  event(name, payload) {
    if (name === 'CallActiveSpeakers') return this.speakers.push(payload.activeSpeakers.map((u) => u.username))
    if (name === 'CallQuality') return this.quality.push(payload)
    this.log.push({ line: eventLine(name, payload), name, payload, at: Date.now() })
  }

  reply(method, answer) {
    this.log.push({ line: replyLine(method, answer), method, ...answer, at: Date.now() })
  }

  /** Waits for an event of this name since the last `clear`; returns its payload. `line` may say more of it. */
  async until(what) {
    const found = await this.log.find(({ line, name }) => name !== undefined && (name === what || line.startsWith(what)), `${this.user}: ${what}`)
    return found.payload
  }

  get lines() {
    return this.log.items.map(({ line }) => line)
  }

  /** The answers to these methods are no part of the story. */
  forget(...methods) {
    this.log.items = this.log.items.filter(({ method }) => !methods.includes(method))
  }

  clear() {
    this.log.items.length = 0
  }
}

/** `a`, alice, calls `b`, bob, who accepts; both are connected. */
export async function talk(a, b) {
  await a.call('startCallUsers', { usernames: ['bob'] })
  await b.until('CallReceiveInvite')
  await b.call('accept')
  await Promise.all([a.until('CallConnected'), b.until('CallConnected')])
}
