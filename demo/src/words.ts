import type { DisconnectPayload, Failure, LeavePayload, Session, User } from '../../www/src/types.js'

/** What to call someone. */
export function nameOf(user: User): string {
  return user.noteName || user.nickname || user.username
}

/** The members of a call other than `me`, for display; empty when nobody else is left. */
export function othersIn(session: Session, me: string): string {
  const others = [...session.joinedMembers, ...session.invitingMembers].filter(({ username }) => username !== me)
  return others.map(nameOf).join(', ')
}

/** A failure in words for the person who uses the page. */
export function failureWords({ name, description }: Failure): string {
  switch (name) {
    case 'NETWORK': return 'The server can’t be reached. Check that it is running and that you are online.'
    case 'LOGIN_REJECTED': return `The server did not accept the sign-in: ${description}.`
    case 'NOT_LOGGED_IN': return 'Sign in first.'
    case 'NOT_INITIALIZED': return 'The microphone is not ready yet.'
    case 'ENGINE_FAILED': return `The sound could not start: ${description}.`
    case 'ALREADY_IN_CALL': return 'You are in a call already. Hang up first.'
    case 'PERMISSION_DENIED': return 'The microphone is blocked. Allow it for this site in the browser’s address bar, then try again.'
    case 'USER_UNAVAILABLE': return 'That person can’t be called.'
    case 'CALL_ENDED': return 'The call was over already.'
    case 'LIMIT_EXCEEDED': return 'That was too much at once. Try again in a moment.'
    default: return `That did not work: ${description}.`
  }
}

/** Why a call ended, in words. `who` are the others. */
export function endWords({ reason, detail }: DisconnectPayload, who: string, iLeft: boolean): string {
  switch (detail) {
    case 'noAnswer': return 'No answer.'
    case 'cancelledByInviter': return `You missed a call from ${who}.`
    case 'answeredElsewhere': return 'Answered on another device.'
    case 'refusedElsewhere': return 'Refused on another device.'
    case 'serverShutdown': return 'The server stopped.'
    case 'callLost': return 'The server no longer knows the call.'
  }
  switch (reason) {
    case 'hangup': return iLeft ? 'You hung up.' : `${who} hung up.`
    case 'refuse': return iLeft ? 'You refused the call.' : `${who} can’t talk right now.`
    case 'cancel': return 'The call was cancelled.'
    case 'busy': return `${who} is in another call.`
    case 'networkError': return 'The connection was lost.'
  }
}

/** Why a member left, in a word or two. */
export function leaveWords({ user, reason, detail }: LeavePayload): string {
  return `${nameOf(user)}: ${reason}${detail === undefined ? '' : `, ${detail}`}`
}

/** `mm:ss`, or `h:mm:ss`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const two = (n: number): string => String(n).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${two(minutes)}:${two(seconds % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}
