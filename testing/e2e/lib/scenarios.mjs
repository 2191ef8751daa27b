// The scenario files as tests.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { root } from './paths.mjs'
import { playScenario } from './stage.mjs'

const folder = join(root, 'testing/scenarios')
const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('.yaml')).sort()
/** Those that take longest: first, so that none of them is left alone at the end. */
const LONG = ['methods/cut-off/accept-not-answered.yaml', 'methods/reconnecting-without-a-call.yaml', 'network/asleep-too-long.yaml', 'reasons/server-killed-for-good-while-ringing.yaml']
/** The next: they wait for a token to end. */
const slow = files.filter((file) => !LONG.includes(file) && readFileSync(join(folder, file), 'utf8').includes('wait: 7s'))
const all = [...LONG, ...slow, ...files.filter((file) => !LONG.includes(file) && !slow.includes(file))]
/** `JMRTC_SCENARIO=glare` plays only those with `glare` in their name. */
const wanted = process.env.JMRTC_SCENARIO ?? ''

/** One test for each file. Most of each is waiting: several at a time. */
export function scenarios(name, kinds, { only = all, concurrency }) {
  describe(name, { concurrency }, () => {
    for (const file of only.filter((file) => file.includes(wanted))) {
      test(file, { timeout: 120_000 }, async (t) => {
        const { verdict, why } = await playScenario(join(folder, file), kinds)
        if (verdict === 'skipped') return t.skip(why)
        assert.equal(verdict, 'passed', why)
      })
    }
  })
}
