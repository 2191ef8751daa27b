// Runs commands for the other scripts, with their output passed through.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// What the scripts use of Node, in the first version that has all of it.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 11)) {
  console.error(`Node 20.11 or newer is needed, this is ${process.version}: https://nodejs.org`)
  process.exit(1)
}

/** The repository's root folder. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs a command line in the root folder; resolves with its exit code. A signal counts as 1, a missing program as 127. */
export function run(command, args = [], options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options })
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`)
      resolve(127)
    })
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

/** Like `run`, but ends this process with the command's code when it fails. */
export async function must(command, args = [], options = {}) {
  const code = await run(command, args, options)
  if (code !== 0) {
    console.error(`failed with ${code}: ${[command, ...args].join(' ')}`)
    process.exit(code)
  }
}
