import type { Bridge, OpenBridge } from './bridge.js'
import { Delivery } from './delivery.js'
import { failure, JmrtcError, why } from './failure.js'
import type { Failure } from './generated/model.js'
import { Listeners } from './listeners.js'
import { report } from './report.js'
import type { EventName, JmrtcApi, Listener, OnFailure, OnSuccess, RemoveListener } from './types.js'

/** Methods without parameters: `method(success, failure)`. */
const PLAIN = [
  'init', 'logout', 'initEngine', 'releaseEngine', 'accept', 'hangup', 'refuse', 'isMuted', 'isSpeakerphoneEnabled',
  'getState', 'getStats',
] as const

/** Methods with parameters: `method(params, success, failure)`. */
const WITH_PARAMS = [
  'login', 'updateToken', 'startCallUsers', 'inviteUsers', 'setIsMuted', 'setIsSpeakerphoneEnabled',
  'getUserInfo', 'updateMyInfo', 'updateRelation', 'getRelations', 'getCallHistory', 'preflight',
] as const

const EVENTS: Record<EventName, true> = {
  CallOutgoing: true,
  CallReceiveInvite: true,
  CallConnecting: true,
  CallConnected: true,
  CallMemberJoin: true,
  CallMemberLeave: true,
  CallDisconnect: true,
  CallOtherUserInvited: true,
  CallMemberMuted: true,
  CallActiveSpeakers: true,
  CallError: true,
  CallReconnecting: true,
  CallReconnected: true,
  CallQuality: true,
}

/** When to open the bridge. */
export interface Opening {
  /** Opens it, at the first method call. */
  open: OpenBridge
  /** Whether a listener alone opens it: native code may have a call running before the page asks for anything. */
  onListen(): boolean
}

/** Makes `window.JMRTC` over a bridge. Its functions need no `this`. */
export function createApi({ open, onListen }: Opening): JmrtcApi {
  const listeners = new Listeners()
  const delivery = new Delivery()
  let opened: Bridge | undefined
  const bridge = (): Bridge => (opened ??= open((event) => delivery.event(() => listeners.emit(event))))

  const add = (name: EventName, listener: Listener<EventName>): RemoveListener => {
    const remove = listeners.add(name, listener)
    if (onListen()) bridge()
    return remove
  }
  const call = (method: string, args: unknown, success: unknown, onFailure: unknown): Promise<unknown> =>
    invoke(bridge, delivery, method, args, callback(success), callback(onFailure))

  const api: Record<string, unknown> = {
    on: add,
    off: (name: EventName, listener: Listener<EventName>) => listeners.remove(name, listener),
  }
  for (const method of PLAIN) {
    api[method] = (success?: unknown, onFailure?: unknown) => call(method, null, success, onFailure)
  }
  for (const method of WITH_PARAMS) {
    api[method] = (params?: unknown, success?: unknown, onFailure?: unknown) =>
      // Without parameters the callbacks come first; the machine then says what is missing.
      typeof params === 'function' ? call(method, null, params, success) : call(method, params, success, onFailure)
  }
  for (const name of Object.keys(EVENTS) as EventName[]) {
    api[`add${name}Listener`] = (listener: Listener<EventName>) => add(name, listener)
    api[`remove${name}Listener`] = (listener: Listener<EventName>) => listeners.remove(name, listener)
  }
  return api as unknown as JmrtcApi
}

function callback<T>(given: unknown): ((value: T) => void) | undefined {
  return typeof given === 'function' ? (given as (value: T) => void) : undefined
}

/** Calls a method of the bridge and answers the app exactly once, by callback and by promise. */
function invoke(
  bridge: () => Bridge, delivery: Delivery, method: string, args: unknown,
  success: OnSuccess<unknown> | undefined, onFailure: OnFailure | undefined,
): Promise<unknown> {
  const promise = new Promise<unknown>((resolve, reject) => {
    let answered = false
    const once = (answer: () => void): void => {
      if (answered) return
      answered = true
      delivery.answer(answer)
    }
    const ok = (result: unknown): void => once(() => {
      const value = result ?? undefined
      guarded(success, value)
      resolve(value)
    })
    const fail = (failed: Failure): void => once(() => {
      const error = new JmrtcError(failed)
      guarded(onFailure, error)
      reject(error)
    })
    let plain: unknown
    try {
      // A copy: what the app does to its object afterwards changes nothing, and what is no JSON shows here.
      plain = JSON.parse(JSON.stringify(args ?? null))
    } catch (thrown) {
      fail(failure('INVALID_PARAMETER', why(thrown)))
      return
    }
    try {
      bridge().exec(method, plain, ok, fail)
    } catch (thrown) {
      fail(failure('ENGINE_FAILED', why(thrown)))
    }
  })
  if (onFailure !== undefined) promise.catch(() => {})
  return promise
}

function guarded<T>(callback: ((value: T) => void) | undefined, value: T): void {
  try {
    callback?.(value)
  } catch (thrown) {
    report(thrown)
  }
}
