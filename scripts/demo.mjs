// `npm run demo`: installs and builds what the demo needs, then starts a server with the demo page.
// Arguments go to the server: npm run demo -- --listen 127.0.0.1:9000
import { spawn } from 'node:child_process'
import { install } from './install.mjs'
import { must, root } from './run.mjs'

await install('demo')
await must('npm', ['run', '--silent', 'build'])
await must('cargo', ['build', '--quiet', '--bin', 'jmrtc-server', '--bin', 'jmrtc-phone'])

console.log(`
Open the page named below, sign in and call "echo" to hear yourself; open it in a second tab to talk to yourself.
From a terminal:  target/debug/jmrtc-phone --server http://127.0.0.1:8080 --user bob echo
`)
const args = process.argv.slice(2)
const server = spawn('target/debug/jmrtc-server', ['--dev', ...args], { cwd: root, stdio: 'inherit' })
// Ctrl-C reaches the server by itself: it ends the calls and we leave with its code.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => server.kill('SIGTERM'))
server.on('error', (error) => { console.error(`the server did not start: ${error.message}`); process.exit(1) })
server.on('exit', (code) => process.exit(code ?? 1))
