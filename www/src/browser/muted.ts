const KEY = 'jmrtc.mutedIn'

/** The call in which the person was muted when this tab was loaded last: should it come back, it must not open their microphone. */
export function mutedBefore(): string | null {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}

/** Remembers for the next load of this tab in which call the person is muted, if in any. */
export function keepMuted(channelId: string | undefined): void {
  try {
    if (channelId === undefined) sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, channelId)
  } catch {
    // Storage is full or forbidden; then the tab is a new device after a load, and no call comes back.
  }
}
