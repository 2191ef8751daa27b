// Where things are, and folders that come and go with a test run.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../..', import.meta.url))
const e2e = join(root, 'testing/e2e')

/** Made once and kept: spoken sentences. */
export const cache = join(e2e, '.cache')
/** What the last run left to look at: screenshots, recordings, logs of failures. */
export const out = join(e2e, 'out')
mkdirSync(cache, { recursive: true })
mkdirSync(out, { recursive: true })

/** A program of the workspace; `JMRTC_PROFILE=release` takes the release build. */
export function program(name) {
  const path = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), process.env.JMRTC_PROFILE ?? 'debug', name)
  if (!existsSync(path)) throw new Error(`${path} is not built: cargo build -p ${name}`)
  return path
}

/** The Python that has numpy, scipy and pesq. */
export function python() {
  const ours = join(root, '.venv/bin/python')
  return process.env.JMRTC_PYTHON ?? (existsSync(ours) ? ours : 'python3')
}

const folders = []
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A folder that is gone when this process ends. */
export function temporary(what) {
  const folder = mkdtempSync(join(tmpdir(), `jmrtc-${what}-`))
  folders.push(folder)
  return folder
}
