import type { Memory } from '../generated/machine.js'

const KEY = 'jmrtc.memory'

/** How people stood to calls when this tab was loaded last: one that comes back must not undo it. The machine takes what it can't read for nothing. */
export function memoryBefore(): Memory {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as Memory
  } catch {
    return {}
  }
}

/** Remembers it for the next load of this tab. */
export function keepMemory(memory: string | undefined): void {
  try {
    if (memory === undefined) sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, memory)
  } catch {
    // Storage is full or forbidden; then the tab is a new device after a load, and no call comes back.
  }
}
