const KEY = 'jmrtc.muted'

/** Whether the person was muted when this tab was loaded last: a call that comes back must not open their microphone. */
export function wasMuted(): boolean {
  try {
    return sessionStorage.getItem(KEY) === 'true'
  } catch {
    return false
  }
}

/** Remembers for the next load of this tab whether the person is muted. */
export function keepMuted(muted: boolean): void {
  try {
    sessionStorage.setItem(KEY, String(muted))
  } catch {
    // Storage is full or forbidden; then the tab is a new device after a load, and no call comes back.
  }
}
