/** Voice calls for hybrid apps: the ES module. `import { JMRTC } from 'cordova-plugin-jmrtc'`. */
import { createApi } from './api.js'
import { browserBridge } from './browser/driver.js'
import { isNative, nativeBridge } from './cordova.js'
import { shared } from './shared.js'
import type { JmrtcApi } from './types.js'

/** The same object as `window.JMRTC`: native code does the calls in a Cordova or Capacitor app, the page itself elsewhere. */
export const JMRTC: JmrtcApi = shared(() => createApi({
  // Chosen at the first use, when cordova.js has been loaded whatever the order of the scripts.
  open: (onEvent) => (isNative() ? nativeBridge : browserBridge)(onEvent),
  onListen: isNative,
}))

export { JmrtcError } from './failure.js'
export { ErrorCode } from './generated/constants.js'
export type * from './types.js'

declare global {
  /** Voice calls. There when the plugin or the script `jmrtc.js` is loaded. */
  var JMRTC: JmrtcApi
}
