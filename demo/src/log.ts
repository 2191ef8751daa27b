import type { Event, EventName } from '../../www/src/types.js'
import { byId, make } from './dom.js'
import { leaveWords, nameOf } from './words.js'

const NAMES: Record<EventName, true> = {
  CallOutgoing: true, CallReceiveInvite: true, CallConnecting: true, CallConnected: true, CallMemberJoin: true,
  CallMemberLeave: true, CallDisconnect: true, CallOtherUserInvited: true, CallMemberMuted: true,
  CallActiveSpeakers: true, CallError: true, CallReconnecting: true, CallReconnected: true, CallQuality: true,
}

/** A page that is left open must not grow without end. */
const MOST = 200

/** Writes every event down. */
export function startLog(): void {
  for (const name of Object.keys(NAMES) as EventName[]) {
    JMRTC.on(name, (payload) => log(name, about({ name, payload } as Event), name === 'CallError'))
  }
}

/** Writes a line, the newest first. */
export function log(what: string, about = '', failed = false): void {
  const now = new Date()
  const time = make('time', '', now.toLocaleTimeString([], { hour12: false }))
  time.dateTime = now.toISOString()
  const text = make('span', '', make('span', 'event', what), ' ', make('span', 'about', about))
  const list = byId('log')
  list.prepend(make('li', failed ? 'failed' : '', time, text))
  while (list.childElementCount > MOST) list.lastElementChild?.remove()
  byId('log-empty').hidden = true
}

function about(event: Event): string {
  switch (event.name) {
    case 'CallReceiveInvite': return `from ${nameOf(event.payload.inviter)}`
    case 'CallOutgoing': return `to ${event.payload.invitingMembers.map(nameOf).join(', ')}`
    case 'CallMemberJoin': return nameOf(event.payload)
    case 'CallMemberLeave': return leaveWords(event.payload)
    case 'CallDisconnect': return event.payload.reason + (event.payload.detail ? `, ${event.payload.detail}` : '')
    case 'CallOtherUserInvited':
      return `${event.payload.invitedUsers.map(nameOf).join(', ')} by ${nameOf(event.payload.fromUser)}`
    case 'CallMemberMuted': return `${nameOf(event.payload.user)} ${event.payload.muted ? 'muted' : 'unmuted'}`
    case 'CallActiveSpeakers': return event.payload.activeSpeakers.map(nameOf).join(', ') || 'nobody'
    case 'CallQuality': return [`${event.payload.score} of 5`, ...event.payload.warnings].join(', ')
    case 'CallError': return `${event.payload.name}: ${event.payload.description}`
    case 'CallConnecting':
    case 'CallConnected':
    case 'CallReconnecting':
    case 'CallReconnected':
      return event.payload.joinedMembers.map(nameOf).join(', ')
  }
}
