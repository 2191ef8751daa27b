import type { State, User } from '../../www/src/types.js'
import { byId, drawAvatar, icon, make } from './dom.js'
import { nameOf } from './words.js'

const list = byId('tiles')
let speakers = new Set<string>()
let drawn = ''

/** Listens for who speaks and who is muted; `changed` draws the state again. */
export function startTiles(changed: () => void): void {
  JMRTC.addCallActiveSpeakersListener(({ activeSpeakers }) => {
    speakers = new Set(activeSpeakers.map(({ username }) => username))
    drawSpeaking()
  })
  JMRTC.addCallMemberMutedListener(changed)
}

/** Draws a tile for each member, oneself last. */
export function showTiles({ session, muted: iAmMuted }: State, me: string): void {
  if (session === null) return
  const muted = new Set(session.mutedMembers)
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
  drawSpeaking()
}

/** A new call knows nothing of the one before. */
export function clearTiles(): void {
  speakers = new Set()
  drawn = ''
  list.replaceChildren()
}

function drawSpeaking(): void {
  for (const tile of list.querySelectorAll<HTMLElement>('.tile')) {
    tile.classList.toggle('speaking', speakers.has(tile.dataset['username'] ?? ''))
  }
}
