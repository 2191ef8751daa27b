// Serves the pages of the browser tests: an empty page with nothing but window.JMRTC, on another origin than the server's.
import { createReadStream, statSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json', '.svg': 'image/svg+xml', '.png': 'image/png' }

/** Serves `folder`; `pages` are `{path: html}` besides. Resolves with `{url, stop}`. */
export async function serve(folder, pages = {}) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname))
    if (path in pages) {
      response.writeHead(200, { 'content-type': TYPES['.html'] })
      return response.end(pages[path])
    }
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path)
    try {
      if (!file.startsWith(folder) || !statSync(file).isFile()) throw new Error('no file')
    } catch {
      response.writeHead(404)
      return response.end('not found')
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
    createReadStream(file).pipe(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}`, server, stop: () => server.close() }
}
