// `npm run demo:apps -- --server http://192.168.1.5:8080`: prepares the example apps for that server: packs the plugin,
// and puts the browser demo's page into cordova/www and capacitor/www. The READMEs there go on from here.
// With --built it packs what was built before.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const demo = import.meta.dirname
const { values } = parseArgs({ options: { server: { type: 'string' }, built: { type: 'boolean' } } })
if (!URL.canParse(values.server)) {
  console.error('usage: npm run demo:apps -- --server URL')
  process.exit(2)
}
const server = new URL(values.server).href.replace(/\/$/, '')

// Packing builds, the page too.
const pack = ['pack', '--silent', '--pack-destination', demo, ...(values.built ? ['--ignore-scripts'] : [])]
const { status, stdout } = spawnSync('npm', pack, { cwd: join(demo, '..'), stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
if (status !== 0) process.exit(1)
const packed = stdout.trim().split('\n').at(-1)
renameSync(join(demo, packed), join(demo, 'cordova-plugin-jmrtc.tgz'))

const page = readFileSync(join(demo, 'dist/index.html'), 'utf8')
app('cordova', ['main.js'], `<script src="cordova.js"></script>
  <script>document.addEventListener('deviceready', () => import('./main.js'))</script>`)
// Its main.js is made by its own bundler.
app('capacitor', [], '<script type="module" src="main.js"></script>')

/** Fills an app's www with the page, its scripts replaced. */
function app(name, more, scripts) {
  const www = join(demo, name, 'www')
  rmSync(www, { recursive: true, force: true })
  mkdirSync(www)
  for (const file of ['main.css', 'icon.svg', ...more]) cpSync(join(demo, 'dist', file), join(www, file))
  const told = replace(page, '<meta name="jmrtc-server" content="">', `<meta name="jmrtc-server" content="${server}">`)
  writeFileSync(join(www, 'index.html'), replace(told, /<script src="jmrtc.js">.*<\/script>/s, scripts))
}

function replace(text, what, by) {
  const result = text.replace(what, () => by)
  if (result === text) throw new Error(`demo/src/index.html has no ${what}`)
  return result
}
