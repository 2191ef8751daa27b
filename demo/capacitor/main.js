import { JMRTC } from 'cordova-plugin-jmrtc'

// The page is the browser demo's, which takes it from window.
globalThis.JMRTC = JMRTC
import('../src/main.ts')
