// Builds what JavaScript sees: the wasm machine, the bundles and types in dist/, the demo page in demo/dist/.
// With --no-wasm the wasm machine that is there already is taken as it is.
import { build } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
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

const tsc = join(root, 'node_modules/typescript/bin/tsc')
if (!process.argv.includes('--no-wasm')) run('cargo', 'xtask', 'wasm')
run(process.execPath, tsc, '--project', 'www')
run(process.execPath, tsc, '--project', 'demo')

const script = await bundle({ ...common, entryPoints: ['www/src/script.ts'], format: 'iife' })
await folder(dist, new Map([
  ['jmrtc.js', script],
  ['index.mjs', await bundle({ ...common, entryPoints: ['www/src/index.ts'], format: 'esm' })],
  ['cordova-browser.js', await bundle({ ...cordova, entryPoints: ['www/src/cordova-browser.ts'] })],
  ['cordova-native.js', await bundle({ ...cordova, entryPoints: ['www/src/cordova-native.ts'] })],
  ...(await types()),
]))
await folder(demo, new Map([
  ['jmrtc.js', script],
  ['main.js', await bundle({ ...common, entryPoints: ['demo/src/main.ts'], format: 'esm' })],
  ['main.css', await bundle({ ...common, banner: {}, entryPoints: ['demo/src/main.css'] })],
  ['index.html', await readFile(join(root, 'demo/src/index.html'))],
  ['icon.svg', await readFile(join(root, 'demo/src/icon.svg'))],
]))

async function bundle(options) {
  const { outputFiles: [file] } = await build({ ...options, write: false })
  return file.contents
}

/** Makes the folder hold these files and no others. What is right stays untouched, so that nothing is rebuilt for it. */
async function folder(path, files) {
  await mkdir(path, { recursive: true })
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    if (entry.isFile() && !files.has(relative(path, file))) await rm(file)
  }
  for (const [name, contents] of files) {
    const file = join(path, name)
    const old = await readFile(file).catch(() => undefined)
    if (old?.equals(contents)) continue
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, contents)
  }
}

/** The declarations that are reachable from index.d.ts; the drivers' own are nobody's business. */
async function types() {
  const files = new Map()
  const all = await mkdtemp(join(tmpdir(), 'jmrtc-types-'))
  try {
    run(process.execPath, tsc, '--project', 'www/tsconfig.types.json', '--outDir', all)
    const src = join(all, 'src')
    const wanted = [join(src, 'index.d.ts')]
    for (const file of wanted) {
      const contents = await readFile(file)
      files.set(relative(src, file), contents)
      for (const [, path] of contents.toString().matchAll(/from ["'](\.[^"']+)\.js["']/g)) {
        const next = join(dirname(file), `${path}.d.ts`)
        if (!wanted.includes(next)) wanted.push(next)
      }
    }
  } finally {
    await rm(all, { recursive: true, force: true })
  }
  return files
}

/** Runs a command; its failure ends the build. */
function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status === 0) return
  console.error(`failed: ${command} ${args.join(' ')}${error ? `: ${error.message}` : ''}`)
  process.exit(1)
}
