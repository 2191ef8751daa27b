// Builds what JavaScript sees: the wasm machine, the bundles and types in dist/, the demo page in demo/dist/.
import { build } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const demo = join(root, 'demo/dist')
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
const banner = { js: `/*! JMRTC ${version} | MIT OR Apache-2.0 */` }

// Calls need WebRTC with unified plan, wasm and web locks: browsers of 2022 and later have them all.
const common = {
  absWorkingDir: root, bundle: true, minify: true, target: ['es2022'], loader: { '.wasm': 'binary' },
  legalComments: 'none', logLevel: 'warning', banner,
}
// Cordova wraps a js-module in a function with `module`; what it exports becomes window.JMRTC.
const cordova = { ...common, format: 'iife', globalName: 'plugin', footer: { js: 'module.exports=plugin.JMRTC;' } }

run('cargo', 'xtask', 'wasm')
run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '--project', 'www')
run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '--project', 'demo')
await rm(dist, { recursive: true, force: true })
await rm(demo, { recursive: true, force: true })
await Promise.all([
  build({ ...common, entryPoints: ['www/src/script.ts'], outfile: join(dist, 'jmrtc.js'), format: 'iife' }),
  build({ ...common, entryPoints: ['www/src/index.ts'], outfile: join(dist, 'index.mjs'), format: 'esm' }),
  build({ ...cordova, entryPoints: ['www/src/cordova-browser.ts'], outfile: join(dist, 'cordova-browser.js') }),
  build({ ...cordova, entryPoints: ['www/src/cordova-native.ts'], outfile: join(dist, 'cordova-native.js') }),
  build({ ...common, entryPoints: ['demo/src/main.ts', 'demo/src/main.css'], outdir: demo, format: 'esm', loader: { '.svg': 'dataurl' } }),
  types(),
])
for (const page of ['index.html', 'icon.svg']) await cp(join(root, 'demo/src', page), join(demo, page))
await cp(join(dist, 'jmrtc.js'), join(demo, 'jmrtc.js'))

/** Writes the declarations that are reachable from index.d.ts; the drivers' own are nobody's business. */
async function types() {
  const all = await mkdtemp(join(tmpdir(), 'jmrtc-types-'))
  try {
    run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '--project', 'www', '--noEmit', 'false',
      '--declaration', '--emitDeclarationOnly', '--rootDir', 'www/src', '--outDir', all)
    const wanted = [join(all, 'index.d.ts')]
    for (const file of wanted) {
      const text = await readFile(file, 'utf8')
      const to = join(dist, relative(all, file))
      await mkdir(dirname(to), { recursive: true })
      await writeFile(to, text)
      for (const [, path] of text.matchAll(/from '(\.[^']+)\.js'/g)) {
        const next = join(dirname(file), `${path}.d.ts`)
        if (!wanted.includes(next)) wanted.push(next)
      }
    }
  } finally {
    await rm(all, { recursive: true, force: true })
  }
}

/** Runs a command; its failure ends the build. */
function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status === 0) return
  console.error(`failed: ${command} ${args.join(' ')}${error ? `: ${error.message}` : ''}`)
  process.exit(1)
}
