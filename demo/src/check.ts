import type { CheckName, Failure, PreflightReport } from '../../www/src/types.js'
import { byId, icon, make, setText } from './dom.js'
import { log } from './log.js'
import { failureWords } from './words.js'

const SECONDS = 5

const TITLES: Record<CheckName, string> = {
  signalling: 'Server',
  microphonePermission: 'Microphone allowed',
  microphone: 'Microphone',
  mediaUdp: 'Sound over UDP',
  mediaTcp: 'Sound over TCP',
  rtt: 'Round trip',
  loss: 'Loss',
  jitter: 'Jitter',
  mos: 'Expected quality',
}

const sheet = byId<HTMLDialogElement>('check')
const start = byId<HTMLButtonElement>('check-start')
let running = false

/** Wires the sheet that tests whether a call would work; `prepared` gets the microphone ready. */
export function startCheck(prepared: () => Promise<boolean>): void {
  byId('check-open').onclick = () => {
    if (!running) show('idle', 'Speak for a few seconds while the way to the server and back is measured. Nobody is called.')
    sheet.showModal()
    start.focus()
  }
  byId('check-close').onclick = () => sheet.close()
  // Whoever closes it wants the microphone closed.
  sheet.addEventListener('close', () => { if (running) void JMRTC.hangup() })
  start.onclick = () => void run(prepared)
}

/** Only without a call. */
export function allowCheck(allowed: boolean): void {
  byId<HTMLButtonElement>('check-open').disabled = !allowed
  if (!allowed && sheet.open && !running) sheet.close()
}

async function run(prepared: () => Promise<boolean>): Promise<void> {
  show('running', 'Say something…')
  running = true
  try {
    if (!(await prepared())) {
      show('failed', 'The microphone is not ready. Allow it for this site, then try again.')
      return
    }
    // Closed while the person was being asked: there was nothing to hang up yet.
    if (!sheet.open) return
    const report = await JMRTC.preflight({ seconds: SECONDS })
    log('preflight()', report.ok ? 'all is well' : report.checks.filter(({ ok }) => !ok).map(({ name }) => name).join(', '), !report.ok)
    draw(report)
  } catch (thrown) {
    const failure = thrown as Failure
    log('preflight()', `${failure.name}: ${failure.description}`, true)
    if (failure.name === 'ALREADY_IN_CALL') sheet.close()
    else show('failed', failure.name === 'INVALID_STATE' ? 'The check was stopped.' : failureWords(failure))
  } finally {
    running = false
  }
}

function draw(report: PreflightReport): void {
  show(report.ok ? 'good' : 'failed', report.ok ? 'Calls will work and sound well.' : 'Something would trouble a call.')
  byId('check-list').replaceChildren(...report.checks.map(({ name, ok, detail }) => make('li', ok ? 'check ok' : 'check',
    make('span', 'mark-icon', icon(ok ? 'check' : 'cross')),
    make('span', 'hidden-text', ok ? 'Good:' : 'Trouble:'),
    make('span', 'title', TITLES[name]), make('span', 'about', detail))))
}

function show(state: 'idle' | 'running' | 'good' | 'failed', words: string): void {
  sheet.className = `sheet wide ${state}`
  setText(byId('check-state'), words)
  byId('check-progress').hidden = state !== 'running'
  byId('check-list').replaceChildren()
  start.disabled = state === 'running'
  setText(start, state === 'idle' || state === 'running' ? 'Start' : 'Check again')
}
