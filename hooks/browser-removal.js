// Cordova's before_plugin_uninstall on the browser platform: cordova-browser leaves a plugin's modules where they are.
const { rmSync } = require('node:fs')
const { join } = require('node:path')

module.exports = ({ opts }) => {
  for (const www of ['www', 'platform_www']) {
    rmSync(join(opts.projectRoot, 'platforms/browser', www, 'plugins', opts.plugin.id), { recursive: true, force: true })
  }
}
