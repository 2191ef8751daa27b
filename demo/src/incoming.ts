import type { State } from '../../www/src/types.js'
import { focusCall, iAmLeaving } from './call.js'
import { byId, drawAvatar, setText } from './dom.js'
import { act, placeNotice } from './notice.js'
import { startRinging, stopRinging } from './ring.js'
import { nameOf } from './words.js'

const sheet = byId<HTMLDialogElement>('incoming')
const title = document.title

/** Wires the incoming-call sheet; `changed` draws the state again, `prepared` gets the microphone ready. */
export function startIncoming(changed: () => Promise<void>, prepared: () => Promise<boolean>): void {
  byId('accept').onclick = () => {
    void prepared().then((ready) => ready && act('accept', () => JMRTC.accept())).then(async (accepted) => {
      // Closing the sheet moves the focus back to where it was; then on to the call.
      await changed()
      if (accepted) focusCall()
    })
  }
  const refuse = (): void => {
    iAmLeaving()
    void act('refuse', () => JMRTC.refuse()).then(changed)
  }
  byId('refuse').onclick = refuse
  // Escape. The sheet closes when the call is gone.
  sheet.addEventListener('cancel', (event) => {
    event.preventDefault()
    refuse()
  })
}

/** Shows the sheet while someone calls. */
export function showIncoming({ session, call }: State): void {
  if (session === null || call !== 'incoming') {
    if (sheet.open) {
      sheet.close()
      placeNotice()
    }
    stopRinging()
    document.title = title
    return
  }
  const caller = nameOf(session.invitedBy ?? session.inviter)
  drawAvatar(byId('incoming-avatar'), caller)
  setText(byId('incoming-who'), caller)
  document.title = `${caller} is calling`
  if (sheet.open) return
  sheet.showModal()
  placeNotice()
  // Not a button: a key that was meant for something else must not open the microphone.
  byId('incoming-who').focus()
  if (session.silent !== true) startRinging()
}
