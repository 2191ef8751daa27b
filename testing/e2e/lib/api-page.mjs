// An empty page with nothing but window.JMRTC, served from another origin than the server's, as an app's own pages are.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { serve } from './pages.mjs'
import { root } from './paths.mjs'

/** Address of the page; it is served until this process ends. */
export async function apiPage() {
  const dist = join(root, 'dist')
  if (!existsSync(join(dist, 'jmrtc.js'))) throw new Error('dist/jmrtc.js is not built: npm run build')
  const { url, server } = await serve(dist, { '/': '<!doctype html><html lang="en"><title>JMRTC API</title><script src="/jmrtc.js"></script></html>' })
  server.unref()
  return `${url}/`
}
