import type { JmrtcApi } from './types.js'

const KEY = Symbol.for('cordova-plugin-jmrtc')

/** One object per page, also where the plugin, the script and the ES module are all loaded. */
export function shared(make: () => JmrtcApi): JmrtcApi {
  const page = globalThis as { [KEY]?: JmrtcApi }
  return (page[KEY] ??= make())
}
