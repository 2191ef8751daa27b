const BROWSER_KEY = 'jmrtc.device'
const TAB_KEY = 'jmrtc.tab'

/** How long a tab that was just reloaded may take to let its name go. */
const RELOAD_MS = 500

/**
 * The id of this tab as a device: it outlives a reload, and two tabs are two devices. A duplicated tab comes with a
 * copy of its original's storage: it finds the id taken and chooses another.
 */
export async function deviceId(): Promise<string> {
  const browser = remembered(() => localStorage, BROWSER_KEY)
  const tab = remembered(() => sessionStorage, TAB_KEY)
  const id = `${browser}.${tab}`
  if (await claim(id)) return id
  const other = random()
  store(() => sessionStorage, TAB_KEY, other)
  const otherId = `${browser}.${other}`
  await claim(otherId)
  return otherId
}

/** Holds the id for as long as the page lives; false when another tab holds it. */
function claim(id: string): Promise<boolean> {
  // Only in secure contexts; calls need one too.
  const locks = globalThis.navigator?.locks
  if (locks === undefined) return Promise.resolve(true)
  return new Promise((resolve) => {
    locks
      .request(`jmrtc.device.${id}`, { signal: AbortSignal.timeout(RELOAD_MS) }, () => {
        resolve(true)
        return new Promise(() => {})
      })
      .catch(() => resolve(false))
  })
}

/** A random value that is made once and kept; made anew each time where storage is forbidden. */
function remembered(storage: () => Storage, key: string): string {
  let value: string | null = null
  try {
    value = storage().getItem(key)
  } catch {
    // No storage: a new device at each load.
  }
  if (value !== null && /^[0-9a-f]{16,32}$/.test(value)) return value
  const fresh = random()
  store(storage, key, fresh)
  return fresh
}

function store(storage: () => Storage, key: string, value: string): void {
  try {
    storage().setItem(key, value)
  } catch {
    // Full or forbidden: the value lives as long as the page.
  }
}

function random(): string {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
