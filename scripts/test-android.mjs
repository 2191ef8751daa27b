// `npm run test:android`: the Android plugin on a desktop JVM: Robolectric, CordovaLib's sources, the real library, a real
// server and phone. Builds nothing but Java and Kotlin: `npm test` has built the rest, or
// cargo build -p jmrtc-server -p jmrtc-phone -p jmrtc-bindings.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { out as outFolder, program } from '../testing/e2e/lib/paths.mjs'
import { Server } from '../testing/e2e/lib/server.mjs'
import { assertHeard, sentence } from '../testing/e2e/lib/speech.mjs'
import { must, root } from './run.mjs'

if (spawnSync('mvn', ['-v']).error) {
  console.error('Maven is missing: apt-get install maven (or https://maven.apache.org), with a JDK of 17 or newer')
  process.exit(1)
}
const out = join(outFolder, 'android')
rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })

await must('node', ['--test', join(root, 'testing/android/plugin-xml.test.mjs')])

const server = await Server.start()
const said = { alice: sentence('alice'), bob: sentence('bob') }
const properties = {
  'jmrtc.library': dirname(program('jmrtc-server')),
  'jmrtc.phone': program('jmrtc-phone'),
  'jmrtc.server': server.url,
  'jmrtc.speech.alice': said.alice,
  'jmrtc.speech.bob': said.bob,
  'jmrtc.speech.ms': 8000,
  'jmrtc.out': out,
}
await must('mvn', [
  '--batch-mode', '--no-transfer-progress', '--file', join(root, 'testing/android/pom.xml'),
  ...process.argv.slice(2), ...Object.entries(properties).map(([key, value]) => `-D${key}=${value}`), 'test',
])

// Whether it is the same speech is asked here (another sentence has a waveform of 0.1); how good it is,
// in the end-to-end tests.
const bar = { waveform: 0.7, envelope: 0.6, pesq: 1, missing: 0.25, gain: 6 }
const heard = assertHeard([
  { what: 'what Alice said, at Bob', said: said.alice, heard: join(out, 'bob-heard.wav'), bar },
  { what: 'what Bob said, at Alice', said: said.bob, heard: join(out, 'alice-heard.wav'), bar },
])
console.log(`heard as said, both ways: ${JSON.stringify(heard)}`)
await server.expectEmpty()
await server.stop()
process.exit(0)
