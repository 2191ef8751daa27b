import { cordova } from '../cordova.js'

interface ConfigHelper {
  readConfig(ok: (config: { getPreferenceValue(name: string): string | undefined }) => void, fail: (error: unknown) => void): void
}

/** The server that `login` uses when it names none: the plugin preference `JMRTC_SERVER_URL`, else where the page comes from. */
export async function defaultServerUrl(): Promise<string | null> {
  const preference = (await cordovaPreference('JMRTC_SERVER_URL'))?.trim()
  if (preference) return preference
  const { protocol, origin } = globalThis.location ?? {}
  return protocol === 'http:' || protocol === 'https:' ? origin : null
}

/** A preference of config.xml on Cordova's browser platform. */
function cordovaPreference(name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    try {
      const helper = cordova()?.require?.('cordova/confighelper') as ConfigHelper
      helper.readConfig((config) => resolve(config.getPreferenceValue(name)), () => resolve(undefined))
    } catch {
      // Not in Cordova.
      resolve(undefined)
    }
  })
}
