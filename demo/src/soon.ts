import type { Session, User } from '../../www/src/types.js'

/**
 * Who speaks and who is muted. The types of these events are not in the package yet: this file casts them, and is to
 * go when they are.
 */
export interface Voices {
  /** The loudest first. */
  speakers(usernames: string[]): void
  muted(username: string, muted: boolean): void
}

export function listenToVoices(voices: Voices): void {
  const on = JMRTC.on as unknown as (name: string, listener: (payload: never) => void) => void
  on('CallActiveSpeakers', ({ activeSpeakers }: { activeSpeakers: User[] }) =>
    voices.speakers(activeSpeakers.map(({ username }) => username)))
  on('CallMemberMuted', ({ user, muted }: { user: User, muted: boolean }) => voices.muted(user.username, muted))
}

/** Who is muted, as far as the session tells. */
export function mutedMembers(session: Session): string[] | undefined {
  return (session as Session & { mutedMembers?: string[] }).mutedMembers
}
