import type { Failure, InviteResult, State } from '../../www/src/types.js'
import { byId, drawAvatar, make } from './dom.js'
import { log } from './log.js'
import { hideNotice, notice, placeNotice } from './notice.js'
import { peopleNow } from './people.js'
import { failureWords } from './words.js'

const sheet = byId<HTMLDialogElement>('invite')
let members = new Set<string>()

/** Wires the sheet from which people are asked into the running call; `changed` draws the state again. */
export function startInvite(changed: () => void): void {
  byId('invite-open').onclick = () => {
    draw(changed)
    sheet.showModal()
    placeNotice()
  }
  byId('invite-close').onclick = () => sheet.close()
  sheet.addEventListener('close', placeNotice)
}

/** Nobody is asked twice, and nobody into a call that is over. */
export function showInvite({ session, call }: State): void {
  members = new Set(session === null ? [] : [...session.joinedMembers, ...session.invitingMembers].map(({ username }) => username))
  byId('invite-open').hidden = call !== 'connected'
  if (sheet.open && call !== 'connected') sheet.close()
}

function draw(changed: () => void): void {
  const people = peopleNow().filter(({ username }) => !members.has(username))
  byId('invite-list').replaceChildren(...people.map(({ username, name, online }) => {
    const avatar = make('span', 'avatar')
    drawAvatar(avatar, name)
    const status = make('div', online ? 'status online' : 'status', online ? 'Online' : 'Offline')
    const button = make('button', 'button', 'Invite')
    button.type = 'button'
    button.setAttribute('aria-label', `Invite ${name}`)
    button.onclick = () => {
      button.disabled = true
      void invite(username).then((invited) => {
        button.disabled = invited
        if (invited) button.textContent = 'Invited'
        changed()
      })
    }
    return make('li', 'row', avatar, make('div', 'what', make('div', 'name', name), status), button)
  }))
  byId('invite-empty').hidden = people.length > 0
}

async function invite(username: string): Promise<boolean> {
  try {
    const { failed }: InviteResult = await JMRTC.inviteUsers({ usernames: [username] })
    if (failed[0] !== undefined) throw { name: failed[0].name, description: failed[0].name, code: 0 } satisfies Failure
    hideNotice()
    log('inviteUsers()', username)
    return true
  } catch (thrown) {
    const failure = thrown as Failure
    log('inviteUsers()', `${failure.name}: ${failure.description}`, true)
    notice(failureWords(failure))
    return false
  }
}
