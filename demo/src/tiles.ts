import type { CallStats, State, User } from '../../www/src/types.js'
import { byId, drawAvatar, icon, make } from './dom.js'
import { listenToVoices, mutedMembers } from './soon.js'
import { nameOf } from './words.js'

/** Louder than this is speaking, where nobody tells who speaks: -46 dB. */
const SPEAKING = 0.005

const list = byId('tiles')
let speakers: Set<string> | undefined
let muted = new Set<string>()
let drawn = ''

/** Listens for who speaks and who is muted; `changed` draws the state again. */
export function startTiles(changed: () => void): void {
  listenToVoices({
    speakers(usernames) {
      speakers = new Set(usernames)
      drawSpeaking((username) => speakers?.has(username) === true)
    },
    muted(username, isMuted) {
      if (isMuted) muted.add(username)
      else muted.delete(username)
      changed()
    },
  })
}

/** Draws a tile for each member, oneself last. */
export function showTiles({ session, muted: iAmMuted }: State, me: string): void {
  if (session === null) return
  const told = mutedMembers(session)
  if (told !== undefined) muted = new Set(told)
  const others = (users: User[]): User[] => users.filter(({ username }) => username !== me)
  const tiles = [
    ...others(session.joinedMembers).map((user) => ({ username: user.username, name: nameOf(user), muted: muted.has(user.username), rings: false })),
    ...others(session.invitingMembers).map((user) => ({ username: user.username, name: nameOf(user), muted: false, rings: true })),
    { username: me, name: 'You', muted: iAmMuted, rings: false },
  ]
  const now = JSON.stringify(tiles)
  if (now === drawn) return
  drawn = now
  list.classList.toggle('many', tiles.length > 6)
  list.replaceChildren(...tiles.map(({ username, name, muted, rings }) => {
    const avatar = make('span', `avatar medium${rings ? ' ringing' : ''}`)
    drawAvatar(avatar, name === 'You' ? me : name)
    const face = make('span', 'face', avatar, ...(muted ? [make('span', 'badge', icon('mic-off'))] : []))
    const about = rings ? 'Ringing…' : muted ? 'Muted' : ''
    const tile = make('li', rings ? 'tile rings' : 'tile', face, make('span', 'name', name), make('span', 'about', about))
    tile.dataset['username'] = username
    return tile
  }))
}

/** Without word of who speaks, the levels of a call of two tell as well. */
export function hearTiles({ levelIn, levelOut }: CallStats, me: string): void {
  if (speakers !== undefined) return
  const alone = list.querySelectorAll('.tile:not(.rings)').length === 2
  drawSpeaking((username) => (username === me ? levelIn : alone ? levelOut : 0) > SPEAKING)
}

/** A new call knows nothing of the one before. */
export function clearTiles(): void {
  speakers = undefined
  muted = new Set()
  drawn = ''
  list.replaceChildren()
}

function drawSpeaking(speaks: (username: string) => boolean): void {
  for (const tile of list.querySelectorAll<HTMLElement>('.tile')) {
    tile.classList.toggle('speaking', speaks(tile.dataset['username'] ?? '') && !tile.querySelector('.badge'))
  }
}
