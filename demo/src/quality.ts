import type { CallQuality, Warning } from '../../www/src/types.js'
import { byId, setText } from './dom.js'

const SCORES = ['Bad', 'Poor', 'Fair', 'Good', 'Excellent']

/** What a person can do something about comes first. */
const WORDS: Record<Warning, string> = {
  silentMicrophone: 'Your microphone is silent. Is it switched off, or is it the wrong one?',
  oneWayAudio: 'Sound passes in one direction only.',
  loss: 'Words may drop out: the network loses packets.',
  jitter: 'The sound may stutter: the network is uneven.',
  rtt: 'There is a long delay on the way.',
  mos: 'The connection is poor.',
}

/** Draws the bars and says what is wrong, if anything. */
export function showQuality(quality: CallQuality | undefined): void {
  const bars = byId('bars')
  bars.hidden = quality === undefined
  const words = quality === undefined ? [] : wordsOf(quality.warnings)
  setText(byId('quality-words'), words.join(' '))
  byId('quality-words').hidden = words.length === 0
  if (quality === undefined) return
  bars.dataset['score'] = String(quality.score)
  bars.setAttribute('aria-label', `Sound quality: ${SCORES[quality.score - 1]}, ${quality.score} of 5`)
  bars.title = `${SCORES[quality.score - 1]} (${quality.mos.toFixed(1)} of 4.5)`
}

function wordsOf(warnings: Warning[]): string[] {
  const all = (Object.keys(WORDS) as Warning[]).filter((warning) => warnings.includes(warning))
  // That it is poor goes without saying where it is said why.
  return (all.length > 1 ? all.filter((warning) => warning !== 'mos') : all).slice(0, 2).map((warning) => WORDS[warning])
}
