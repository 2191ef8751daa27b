import { SERVER } from './server.js'

/** A sign-in that failed, in words. */
export class SignInError extends Error {}

let current = ''
let renewal: ReturnType<typeof setTimeout> | undefined

/** The token of the sign-in, for the directory. */
export function token(): string {
  return current
}

/** Signs in under a name, and keeps the token fresh. */
export async function signIn(user: string): Promise<void> {
  current = await fetchToken(user)
  await JMRTC.login({ token: current, ...(SERVER && { serverUrl: SERVER }) })
  renew(user)
}

/** Signs out. */
export async function signOut(): Promise<void> {
  clearTimeout(renewal)
  await JMRTC.logout()
}

/** A real app asks its own backend, which knows who is signed in. A `--dev` server gives anybody any name. */
async function fetchToken(user: string): Promise<string> {
  let response: Response
  try {
    response = await fetch(`${SERVER}/v1/dev/token`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ user }),
    })
  } catch {
    throw new SignInError('The server can’t be reached.')
  }
  if (response.status === 404) throw new SignInError('This server gives out no demo tokens. Start it with --dev.')
  if (!response.ok) throw new SignInError(await refusal(response))
  return ((await response.json()) as { token: string }).token
}

async function refusal(response: Response): Promise<string> {
  const body = (await response.json().catch(() => ({}))) as { description?: string }
  return body.description ?? `The server refused the name (${response.status}).`
}

/** Goes on after the server has rejected the token. */
export async function freshToken(user: string): Promise<void> {
  current = await fetchToken(user)
  await JMRTC.updateToken({ token: current })
}

/** Hands in a new token when four fifths of the old one's life are over. */
function renew(user: string): void {
  clearTimeout(renewal)
  const claims = JSON.parse(atob((current.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'))) as { exp: number }
  const wait = Math.min(Math.max(10_000, (claims.exp * 1000 - Date.now()) * 0.8), 0x7fff_ffff)
  renewal = setTimeout(() => {
    void freshToken(user).catch((thrown: unknown) => console.warn('the token was not renewed', thrown)).finally(() => renew(user))
  }, wait)
}
