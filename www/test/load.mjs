// Imports the TypeScript sources as they are, bundled into a temporary folder.
import { build } from 'esbuild'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const folder = mkdtempSync(join(tmpdir(), 'jmrtc-www-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** The exports of `www/src/<path>`. */
export async function load(path) {
  const outfile = join(folder, path.replaceAll('/', '-').replace(/ts$/, 'mjs'))
  await build({
    entryPoints: [fileURLToPath(new URL(`../src/${path}`, import.meta.url))], outfile,
    bundle: true, format: 'esm', target: 'es2022', loader: { '.wasm': 'binary' }, logLevel: 'error',
  })
  return import(pathToFileURL(outfile))
}
