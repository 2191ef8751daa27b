// What an endpoint did and was told, as lines that a test can write down.
import assert from 'node:assert/strict'
import { Log } from './wait.mjs'

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

  event(name, payload) {
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

  /** Whether the payload of every event so far fits the seed's models; returns the sessions seen. */
  sessions() {
    return this.log.items.flatMap(({ payload }) => (payload?.channelId ? [payload] : payload?.session ? [payload.session] : []))
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

  /** Fails unless exactly these lines are in the log; lines of `ignore`d methods don't count. */
  expect(lines) {
    assert.deepEqual(this.lines, lines, `${this.user} was told something else`)
  }
}

const USER_KEYS = ['type', 'username', 'appKey', 'nickname', 'gender', 'avatarThumbPath', 'birthday', 'region', 'signature', 'address', 'noteName', 'noteText', 'isNoDisturb', 'isInBlackList', 'isFriend', 'extras']

function checkUser(user, where) {
  assert.deepEqual(Object.keys(user).sort(), [...USER_KEYS].sort(), `${where}: fields of a user`)
  assert.equal(user.type, 'user')
  assert.ok(['male', 'female', 'unknown'].includes(user.gender), `${where}: gender ${user.gender}`)
  for (const key of ['isNoDisturb', 'isInBlackList', 'isFriend']) assert.equal(typeof user[key], 'boolean', `${where}: ${key}`)
  assert.equal(typeof user.birthday, 'number')
}

/** Fails unless what was told fits the models of the API reference; to be asked at the end of each story. */
export function checkModels(diary) {
  const sessions = diary.sessions()
  for (const session of sessions) {
    const where = `${diary.user}'s session`
    const extra = Object.keys(session).filter((k) => !['channelId', 'mediaType', 'inviter', 'invitingMembers', 'joinedMembers', 'startTime', 'invitedBy', 'silent', 'failed', 'code', 'name', 'description'].includes(k))
    assert.deepEqual(extra, [], `${where}: unknown fields`)
    assert.equal(typeof session.channelId, 'string')
    assert.equal(session.mediaType, 'voice')
    assert.equal(typeof session.startTime, 'number')
    for (const user of [session.inviter, ...session.invitingMembers, ...session.joinedMembers]) checkUser(user, where)
  }
  for (const { name, payload } of diary.log.items) if (name === 'CallMemberJoin') checkUser(payload, name)
  return sessions
}
