// The judge of all other tests: it must take what is good and refuse what is broken.
import assert from 'node:assert/strict'
import test from 'node:test'
import { GOOD, RECOGNISED, judgeTheJudge, sentence, shortcoming, silence, tone } from './lib/speech.mjs'
import { readWav, toneSeconds } from './lib/wav.mjs'

test('speech: good is taken, broken is refused', () => {
  const results = judgeTheJudge(sentence('alice'), sentence('bob'))
  const good = { same: GOOD, late: GOOD, stretched: GOOD, 'quieter, with a little noise': RECOGNISED }
  for (const [name, result] of Object.entries(results)) {
    if (name in good) {
      assert.equal(shortcoming(result, good[name]), null, `${name} must be taken: ${JSON.stringify(result)}`)
    } else {
      assert.notEqual(shortcoming(result, GOOD), null, `${name} must be refused: ${JSON.stringify(result)}`)
      assert.notEqual(shortcoming(result, RECOGNISED), null, `${name} must be refused, too: ${JSON.stringify(result)}`)
    }
  }
  assert.ok(Object.keys(results).length >= 15)
})

test('the delay found is the delay there is', () => {
  const { late } = judgeTheJudge(sentence('carol'), sentence('bob'))
  assert.ok(Math.abs(late.delayMs - 1250) < 1, `${late.delayMs}`)
})

test('tones: the right one is heard, a wrong one, silence and speech are not', () => {
  const right = readWav(tone(440, 2))
  assert.ok(toneSeconds(right, 440) >= 1.9)
  assert.ok(toneSeconds(right, 441) >= 1.9)
  for (const hz of [400, 480, 880, 1000]) assert.equal(toneSeconds(right, hz), 0)
  assert.equal(toneSeconds(readWav(silence(2)), 440), 0)
  for (const hz of [300, 440, 1000]) assert.equal(toneSeconds(readWav(sentence('alice')), hz), 0)
})
