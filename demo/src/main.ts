/** The demo page: a user of `window.JMRTC` and of nothing else of this project. */
import type {} from '../../www/src/index.js'
import type { EventName, Failure } from '../../www/src/types.js'
import { focusCall, showCall, showEnd, startCall } from './call.js'
import { allowCheck, startCheck } from './check.js'
import { byId, drawAvatar, setText } from './dom.js'
import { showIncoming, startIncoming } from './incoming.js'
import { log, startLog } from './log.js'
import { act, notice } from './notice.js'
import { allowCalls, startPeople } from './people.js'
import { freshToken, signIn, SignInError, signOut } from './session.js'
import { failureWords } from './words.js'

/** Whether the server is there changes without an event. */
const CONNECTION_EVERY_MS = 2000

let me = ''
let stopPeople = (): void => {}
let comingBack = false

/** Draws everything from the state that `JMRTC` tells: after an event, and just so after a reload. */
async function refresh(): Promise<void> {
  const state = await JMRTC.getState()
  setText(byId('connection'), state.login === 'reconnecting' ? 'Reconnecting…' : '')
  if (state.login === 'tokenRejected') await comeBack()
  allowCalls(state.login === 'loggedIn' && state.session === null)
  allowCheck(state.login === 'loggedIn' && state.session === null)
  showIncoming(state)
  showCall(state, me)
}

/** The server no longer takes the token, after a restart with another secret, say: a new one, or the sign-in page. */
async function comeBack(): Promise<void> {
  if (comingBack) return
  comingBack = true
  try {
    await freshToken(me)
  } catch (thrown) {
    stopPeople()
    await signOut()
    showSignIn(me, thrown instanceof SignInError ? thrown.message : failureWords(thrown as Failure))
  } finally {
    comingBack = false
  }
}

async function enter(user: string): Promise<void> {
  setText(byId('signin-error'), '')
  const button = byId('signin-form').querySelector('button')
  button?.toggleAttribute('disabled', true)
  try {
    await signIn(user)
  } catch (thrown) {
    showSignIn(user, thrown instanceof SignInError ? thrown.message : failureWords(thrown as Failure))
    return
  } finally {
    button?.toggleAttribute('disabled', false)
  }
  me = user
  history.replaceState(null, '', `?${new URLSearchParams({ user })}`)
  setText(byId('me-name'), user)
  drawAvatar(byId('me-avatar'), user)
  byId('signin').hidden = true
  byId('home').hidden = false
  log('login()', `as ${user}`)
  stopPeople = startPeople(user, (username) => void call(username))
  await Promise.all([refresh(), prepare()])
  await refresh()
}

/** Asks for the microphone right away, so that a call need not wait for the answer. */
async function prepare(): Promise<boolean> {
  try {
    await JMRTC.initEngine()
    return true
  } catch (thrown) {
    const failure = thrown as Failure
    log('initEngine()', `${failure.name}: ${failure.description}`, true)
    notice(failureWords(failure), { label: 'Try again', run: () => void prepare() })
    return false
  }
}

async function prepared(): Promise<boolean> {
  return (await JMRTC.getState()).engine === 'ready' || prepare()
}

async function call(username: string): Promise<void> {
  allowCalls(false)
  if (!(await prepared())) {
    await refresh()
    return
  }
  if (await act('startCallUsers', () => JMRTC.startCallUsers({ usernames: [username] }))) {
    await refresh()
    focusCall()
  } else {
    await refresh()
  }
}

function showSignIn(user: string, error: string): void {
  byId('home').hidden = true
  byId('signin').hidden = false
  setText(byId('signin-error'), error)
  const field = byId<HTMLInputElement>('signin-name')
  field.value = user
  field.setAttribute('aria-invalid', String(error !== ''))
  field.focus()
}

byId('signin-form').addEventListener('submit', (event) => {
  event.preventDefault()
  const user = byId<HTMLInputElement>('signin-name').value.trim()
  if (user === '') showSignIn('', 'Type a name first.')
  else void enter(user)
})

byId('signout').onclick = () => {
  stopPeople()
  void signOut().finally(() => {
    history.replaceState(null, '', location.pathname)
    showSignIn('', '')
  })
}

startLog()
startCall(() => void refresh())
startIncoming(refresh, prepared)
startCheck(prepared)
JMRTC.addCallDisconnectListener((end) => showEnd(end, me))
for (const name of ['CallOutgoing', 'CallReceiveInvite', 'CallConnecting', 'CallConnected', 'CallMemberJoin', 'CallMemberLeave',
  'CallDisconnect', 'CallOtherUserInvited', 'CallError', 'CallReconnecting', 'CallReconnected', 'CallQuality'] satisfies EventName[]) {
  JMRTC.on(name, () => void refresh())
}
setInterval(() => {
  if (me !== '' && !document.hidden) void refresh()
}, CONNECTION_EVERY_MS)

const user = new URLSearchParams(location.search).get('user')?.trim() ?? ''
if (user === '') showSignIn('', '')
else void enter(user)
