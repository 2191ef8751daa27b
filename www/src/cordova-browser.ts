/** `dist/cordova-browser.js`: Cordova's js-module on the browser platform. */
export { JMRTC } from './index.js'
