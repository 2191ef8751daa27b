// `npm run demo`: installs and builds what the demo needs, then starts a server with the demo page.
// Arguments go to the server: npm run demo -- --listen 127.0.0.1:9000
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { install } from './install.mjs'
import { must, root } from './run.mjs'

await install('demo')
await must('npm', ['run', '--silent', 'build'])
await must('cargo', ['build', '--quiet', '--bin', 'jmrtc-server', '--bin', 'jmrtc-phone'])

const args = process.argv.slice(2)
const programs = join(process.env.CARGO_TARGET_DIR ?? 'target', 'debug')
const server = spawn(join(programs, 'jmrtc-server'), ['--dev', ...args], { cwd: root, stdio: ['inherit', 'pipe', 'inherit'] })
createInterface({ input: server.stdout }).on('line', (line) => {
  console.log(line)
  const url = /^JMRTC server on (http\S+)/.exec(line)?.[1]
  if (url) {
    console.log(`
Open ${url} , sign in and call "echo" to hear yourself; open it in a second tab to talk to yourself.
From a terminal:  ${join(programs, 'jmrtc-phone')} --server ${url} --user bob echo
`)
  }
})
// Ctrl-C reaches the server by itself: it ends the calls and we leave with its code.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => server.kill('SIGTERM'))
server.on('error', (error) => { console.error(`the server did not start: ${error.message}`); process.exit(1) })
server.on('exit', (code) => process.exit(code ?? 1))
