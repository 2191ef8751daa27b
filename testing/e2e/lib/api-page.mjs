// An empty page with nothing but window.JMRTC, served from another origin than the server's, as an app's own pages are.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { serve } from './pages.mjs'
import { root } from './paths.mjs'

/** What docs ask of a page that has a policy, and nothing more. */
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src *"

const PAGE = `<!doctype html><html lang="en"><meta http-equiv="Content-Security-Policy" content="${POLICY}"><title>JMRTC API</title><script src="/jmrtc.js"></script></html>`

/** Address of the page; it is served until this process ends. */
export async function apiPage() {
  const dist = join(root, 'dist')
  if (!existsSync(join(dist, 'jmrtc.js'))) throw new Error('dist/jmrtc.js is not built: npm run build')
  const { url, server } = await serve(dist, { '/': PAGE })
  server.unref()
  return `${url}/`
}
