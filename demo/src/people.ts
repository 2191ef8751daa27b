import { byId, drawAvatar, icon, make } from './dom.js'
import { SERVER } from './server.js'
import { token } from './session.js'

const EVERY_MS = 3000

export interface Person {
  username: string
  name: string
  online: boolean
}

const ECHO: Person = { username: 'echo', name: 'Echo', online: true }

let present: Person[] = [ECHO]

/** Who could be called, as it was asked for last. */
export function peopleNow(): Person[] {
  return present
}

/** The list of people, asked for again and again while the page is seen. Stops by the function it returns. */
export function startPeople(me: string, call: (username: string) => void): () => void {
  let drawn = ''
  const update = async (): Promise<void> => {
    if (document.hidden) return
    const people = await directory().catch(() => undefined)
    // While the server is away the list stays as it was; the header says that it is away.
    if (people === undefined) return
    const list = [ECHO, ...people.filter(({ username }) => username !== me && username !== ECHO.username)]
    present = list
    const now = JSON.stringify(list)
    if (now === drawn) return
    drawn = now
    draw(list, call)
  }
  draw([ECHO], call)
  void update()
  const timer = setInterval(() => void update(), EVERY_MS)
  const seen = (): void => void update()
  document.addEventListener('visibilitychange', seen)
  return () => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', seen)
  }
}

/** Whether calls can be made now. */
export function allowCalls(allowed: boolean): void {
  byId('people').toggleAttribute('data-busy', !allowed)
  for (const button of byId('people').querySelectorAll('button')) button.disabled = !allowed
}

async function directory(): Promise<Person[]> {
  const response = await fetch(`${SERVER}/v1/users`, { headers: { authorization: `Bearer ${token()}` } })
  if (!response.ok) throw new Error(`the directory answered ${response.status}`)
  const users = (await response.json()) as { user: { username: string; nickname: string; noteName: string }; online: boolean }[]
  return users
    .map(({ user, online }) => ({ username: user.username, name: user.noteName || user.nickname || user.username, online }))
    .sort((a, b) => Number(b.online) - Number(a.online) || a.name.localeCompare(b.name))
}

/** Draws the rows anew, and keeps the focus on the row where it was. */
function draw(people: Person[], call: (username: string) => void): void {
  const focused = document.activeElement?.closest<HTMLElement>('[data-username]')?.dataset['username']
  const busy = byId('people').hasAttribute('data-busy')
  byId('people').replaceChildren(...people.map((person) => {
    const avatar = make('div', 'avatar')
    drawAvatar(avatar, person.name)
    const echo = person.username === ECHO.username
    const status = make('div', person.online ? 'status online' : 'status', echo ? 'Hear yourself' : person.online ? 'Online' : 'Offline')
    const button = make('button', 'button', icon('phone'), 'Call')
    button.type = 'button'
    button.disabled = busy
    button.setAttribute('aria-label', `Call ${person.name}`)
    button.onclick = () => call(person.username)
    const row = make('li', 'row', avatar, make('div', 'what', make('div', 'name', person.name), status), button)
    row.dataset['username'] = person.username
    if (person.username === focused) queueMicrotask(() => button.focus())
    return row
  }))
  byId('people-empty').hidden = people.length > 1
}
