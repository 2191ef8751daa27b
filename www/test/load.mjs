// Imports the TypeScript sources as they are, bundled in memory.
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'

/** The exports of `www/src/<path>`. */
export async function load(path) {
  const { outputFiles: [file] } = await build({
    entryPoints: [fileURLToPath(new URL(`../src/${path}`, import.meta.url))],
    bundle: true, write: false, format: 'esm', target: 'es2022', loader: { '.wasm': 'binary' }, sourcemap: 'inline', logLevel: 'error',
  })
  return import(`data:text/javascript;base64,${Buffer.from(file.contents).toString('base64')}`)
}
