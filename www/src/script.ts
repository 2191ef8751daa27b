/** `dist/jmrtc.js`: a plain script that sets `window.JMRTC`. */
import { JMRTC } from './index.js'

globalThis.JMRTC = JMRTC
