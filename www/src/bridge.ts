import type { Event, Failure } from './generated/model.js'

/** The way to a call machine: native code behind Cordova's `exec`, or the wasm machine in this page. */
export interface Bridge {
  /** Calls a method. Exactly one of `ok` and `fail` is called, once, possibly before this returns. */
  exec(method: string, args: unknown, ok: (result: unknown) => void, fail: (failure: Failure) => void): void
}

/** Opens a bridge; `onEvent` gets every event, in order. */
export type OpenBridge = (onEvent: (event: Event) => void) => Bridge
