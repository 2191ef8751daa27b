import type { DisconnectPayload, State } from '../../www/src/types.js'
import { byId, drawAvatar, icon, setText } from './dom.js'
import { act } from './notice.js'
import { showInvite, startInvite } from './invite.js'
import { showQuality } from './quality.js'
import { clearTiles, showTiles, startTiles } from './tiles.js'
import { duration, endWords, othersIn } from './words.js'

/** How long the end of a call stays to be read. */
const END_SHOWN_MS = 8000

const panel = byId('call')
const who = byId('call-who')
const time = byId('call-time')
const mute = byId<HTMLButtonElement>('mute')

let me = ''
let others = ''
let since = 0
let levels: ReturnType<typeof setInterval> | undefined
let clock: ReturnType<typeof setInterval> | undefined
let ended: ReturnType<typeof setTimeout> | undefined
let leaving = false

/** Wires the buttons; `changed` draws the state again. */
export function startCall(changed: () => void): void {
  byId('hangup').onclick = () => {
    leaving = true
    void act('hangup', () => JMRTC.hangup()).then((left) => { leaving &&= left })
  }
  mute.onclick = () => {
    const muted = mute.getAttribute('aria-pressed') !== 'true'
    void act('setIsMuted', () => JMRTC.setIsMuted({ muted })).then(changed)
  }
  startTiles(changed)
  startInvite(changed)
}

/** Draws the call there is. */
export function showCall(state: State, user: string): void {
  me = user
  const { session, call } = state
  const running = session !== null && call !== 'idle' && call !== 'incoming'
  const talking = call === 'connected' || call === 'reconnecting'
  // At the end of a call nobody else is left in its session.
  if (session !== null) others = othersIn(session, me) || others
  if (running) {
    clearTimeout(ended)
    panel.className = `card call${call === 'connected' ? ' live' : ''}${call === 'reconnecting' ? ' trouble' : ''}`
    drawAvatar(byId('call-avatar'), others)
    byId('call-avatar').hidden = talking
    byId('call-avatar').classList.toggle('ringing', call === 'outgoing')
    setText(who, others)
    setText(byId('level-out-label'), others)
    setText(byId('call-state'), stateWords(call))
    since = session.startTime
    time.hidden = !talking
  } else if (!panel.classList.contains('ended')) {
    showIdle()
  }
  byId('call-buttons').hidden = !running
  byId('call-levels').hidden = !talking
  byId('tiles').hidden = !talking
  if (talking) showTiles(state, me)
  else clearTiles()
  showInvite(state)
  showQuality(talking ? state.quality : undefined)
  byId('banner').hidden = call !== 'reconnecting'
  drawMute(state.muted)
  follow(talking)
}

/** Says why the call is over, for a while. */
export function showEnd(end: DisconnectPayload, me: string): void {
  others = othersIn(end.session, me) || others
  const { startTime } = end.session
  time.hidden = startTime === 0
  setText(time, duration(Date.now() - startTime))
  const focused = panel.contains(document.activeElement)
  panel.className = 'card call ended'
  byId('call-avatar').hidden = false
  drawAvatar(byId('call-avatar'), others)
  byId('call-avatar').classList.remove('ringing')
  setText(who, others)
  setText(byId('call-state'), endWords(end, others, leaving))
  leaving = false
  if (focused) who.focus()
  clearTimeout(ended)
  ended = setTimeout(showIdle, END_SHOWN_MS)
}

/** The local user refuses or leaves: the end will say so. */
export function iAmLeaving(): void {
  leaving = true
}

/** Moves the focus to the call. */
export function focusCall(): void {
  who.focus()
}

function showIdle(): void {
  if (panel.contains(document.activeElement)) byId('people').querySelector('button')?.focus()
  panel.className = 'card call idle'
  byId('call-avatar').hidden = false
  time.hidden = true
  byId('call-avatar').classList.remove('ringing')
  byId('call-avatar').replaceChildren(icon('phone'))
  setText(who, 'No call')
  setText(byId('call-state'), 'Call someone from the list, or wait to be called.')
}

function stateWords(call: State['call']): string {
  switch (call) {
    case 'outgoing': return 'Ringing…'
    case 'connecting': return 'Connecting…'
    case 'connected': return 'Connected'
    case 'reconnecting': return 'Reconnecting…'
    case 'incoming':
    case 'idle':
      return ''
  }
}

function drawMute(muted: boolean): void {
  mute.setAttribute('aria-pressed', String(muted))
  mute.querySelector('use')?.setAttribute('href', muted ? '#i-mic-off' : '#i-mic')
}

/** Keeps clock and levels going while there is something to hear. */
function follow(talking: boolean): void {
  if (!talking) {
    clearInterval(levels)
    clearInterval(clock)
    levels = clock = undefined
    return
  }
  const tick = (): void => setText(time, duration(Date.now() - since))
  tick()
  clock ??= setInterval(tick, 1000)
  levels ??= setInterval(() => void drawLevels(), 100)
}

async function drawLevels(): Promise<void> {
  if (document.hidden) return
  const stats = await JMRTC.getStats()
  drawLevel('level-in', stats.levelIn)
  drawLevel('level-out', stats.levelOut)
}

function drawLevel(id: string, level: number): void {
  const value = loudness(level)
  byId(id).style.setProperty('--value', value.toFixed(3))
  byId(id).setAttribute('aria-valuenow', String(Math.round(100 * value)))
}

/** A level as the ear takes it: decibels, 0 for -60 and 1 for full scale. */
function loudness(level: number): number {
  return level <= 0 ? 0 : Math.min(1, Math.max(0, 1 + (20 * Math.log10(level)) / 60))
}
