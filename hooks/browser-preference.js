// Cordova's after_prepare, for the browser platform. Other platforms put a plugin's preferences into the app's
// config.xml; cordova-browser loses them at each prepare, so the install variable is written here.
const { existsSync, readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')

const NAME = 'JMRTC_SERVER_URL'
const ESCAPES = { '&': '&amp;', '<': '&lt;', '"': '&quot;' }

module.exports = ({ opts }) => {
  const platform = join(opts.projectRoot, 'platforms/browser')
  if (!existsSync(platform)) return
  const { installed_plugins: plugins } = JSON.parse(readFileSync(join(platform, 'browser.json'), 'utf8'))
  const url = plugins[opts.plugin.id]?.[NAME]?.trim()
  const file = join(platform, 'www/config.xml')
  const config = readFileSync(file, 'utf8')
  // What the app's own config.xml says comes first.
  if (!url || config.includes(`"${NAME}"`)) return
  const value = url.replace(/[&<"]/g, (char) => ESCAPES[char])
  writeFileSync(file, config.replace('</widget>', `    <preference name="${NAME}" value="${value}" />\n</widget>`))
}
