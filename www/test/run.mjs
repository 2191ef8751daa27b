// `npm run test:www`: the types, then the tests. Needs the wasm machine: `npm run build` makes it.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tests = readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.test.mjs'))
const commands = [
  ['node_modules/typescript/bin/tsc', '--project', 'www'],
  ['node_modules/typescript/bin/tsc', '--project', 'www/test/types'],
  ['--test', ...tests.map((name) => `www/test/${name}`)],
]
for (const args of commands) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}
