// What the tests of the native bridges share: a server, two sentences, and the judge of what both ends have heard.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { out as outFolder, program } from '../testing/e2e/lib/paths.mjs'
import { Server } from '../testing/e2e/lib/server.mjs'
import { assertCallHeard, sentence } from '../testing/e2e/lib/speech.mjs'
import { must, root } from './run.mjs'

/** Where the built library and programs are. */
export const library = dirname(program('jmrtc-server'))

/** How long the two talk. */
const SPEECH_MS = 8000

// Whether it is the same speech is asked here (another sentence has a waveform of 0.1, every fifth frame lost a PESQ of 1.3); how good it
// is, in the end-to-end tests.
const bar = { waveform: 0.7, envelope: 0.6, pesq: 1.8, missing: 0.25, gain: 6 }

/**
 * Runs `test({url, said, speechMs, out})` beside a server. It leaves what Alice and Bob have heard in `out`, as
 * alice-heard.wav and bob-heard.wav. Ends this process.
 */
export async function judgeTalk(name, test) {
  const out = join(outFolder, name)
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const said = { alice: sentence('alice'), bob: sentence('bob') }
  const server = await Server.start()
  await assertCallHeard(async () => {
    await test({ url: server.url, said, speechMs: SPEECH_MS, out })
    return [
      { what: 'what Alice said, at Bob', said: said.alice, heard: join(out, 'bob-heard.wav'), bar },
      { what: 'what Bob said, at Alice', said: said.bob, heard: join(out, 'alice-heard.wav'), bar },
    ]
  }, { diagnostic: console.log })
  await server.expectEmpty()
  await server.stop()
  process.exit(0)
}

/** Fails with the way to get it where Maven is missing. */
export function needMaven() {
  if (spawnSync('mvn', ['-v']).error) {
    console.error('Maven is missing: apt-get install maven (or https://maven.apache.org), with a JDK of 17 or newer')
    process.exit(1)
  }
}

/** `judgeTalk` with the Maven project testing/`name`; the command line's arguments go to Maven. */
export function judgeTalkOnJvm(name, more = {}) {
  return judgeTalk(name, ({ url, said, speechMs, out }) => {
    const properties = {
      'jmrtc.library': library,
      'jmrtc.server': url,
      'jmrtc.speech.alice': said.alice,
      'jmrtc.speech.bob': said.bob,
      'jmrtc.speech.ms': speechMs,
      'jmrtc.out': out,
      ...more,
    }
    return must('mvn', [
      '--batch-mode', '--no-transfer-progress', '--file', join(root, `testing/${name}/pom.xml`),
      ...process.argv.slice(2), ...Object.entries(properties).map(([key, value]) => `-D${key}=${value}`), 'test',
    ])
  })
}
