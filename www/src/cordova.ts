import type { Bridge } from './bridge.js'
import { failure } from './failure.js'
import type { Event, Failure } from './generated/model.js'

/** What this project uses of the object that `cordova.js` makes. */
export interface Cordova {
  /** `android`, `ios`, `browser`, … */
  platformId?: string
  /** Calls native code. */
  exec(ok: (result: unknown) => void, fail: (error: unknown) => void, service: string, action: string, args: unknown[]): void
  /** Loads one of Cordova's own modules. */
  require?(module: string): unknown
}

/** The plugin class's name in `plugin.xml`. */
const SERVICE = 'JMRTC'

/** The page's Cordova, if it runs in one. */
export function cordova(): Cordova | undefined {
  return (globalThis as { cordova?: Cordova }).cordova
}

/** Whether native code does the calls here. */
export function isNative(): boolean {
  return ['android', 'ios'].includes(cordova()?.platformId ?? '')
}

/**
 * The bridge to native code. Arguments, results, failures and events cross as JSON text, which the native side
 * passes on unread. The action `events` keeps its callback: native code sends each event through it as
 * `{"name": …, "payload": …}`. Calls before `deviceready` wait for it.
 */
export function nativeBridge(onEvent: (event: Event) => void): Bridge {
  const ready = new Promise<Cordova>((resolve) => {
    // Cordova calls back at once when deviceready has been.
    document.addEventListener('deviceready', () => resolve(cordova() as Cordova), { once: true })
  })
  void ready.then(({ exec }) =>
    exec((event) => onEvent(parse(event) as Event), (error) => console.error('JMRTC', error), SERVICE, 'events', []))
  return {
    exec(method, args, ok, fail) {
      void ready.then(({ exec }) =>
        exec((result) => ok(parse(result)), (error) => fail(asFailure(error)), SERVICE, method, [JSON.stringify(args)]))
    },
  }
}

function parse(text: unknown): unknown {
  return typeof text === 'string' ? JSON.parse(text) : text
}

/** Cordova itself fails with plain text, e.g. "Class not found". */
function asFailure(error: unknown): Failure {
  if (typeof error === 'string' && !error.startsWith('{')) return failure('ENGINE_FAILED', error)
  return parse(error) as Failure
}
