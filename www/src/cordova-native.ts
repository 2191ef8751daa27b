/** `dist/cordova-native.js`: Cordova's js-module where native code does the calls; without the wasm machine. */
import { createApi } from './api.js'
import { nativeBridge } from './cordova.js'
import { shared } from './shared.js'

export const JMRTC = shared(() => createApi({ open: nativeBridge, onListen: () => true }))
