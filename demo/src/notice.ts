import type { Failure } from '../../www/src/types.js'
import { byId } from './dom.js'
import { log } from './log.js'
import { failureWords } from './words.js'

/** Says something that went wrong, until it is dismissed; `action` may put it right. */
export function notice(text: string, action?: { label: string; run: () => void }): void {
  byId('notice-text').textContent = text
  const button = byId<HTMLButtonElement>('notice-action')
  button.hidden = action === undefined
  button.textContent = action?.label ?? ''
  button.onclick = () => {
    hideNotice()
    action?.run()
  }
  byId('notice-close').onclick = hideNotice
  byId('notice').hidden = false
}

/** Into the sheet that is open: it makes all the rest of the page dim and dead. */
export function placeNotice(): void {
  const place = document.querySelector('dialog[open]') ?? byId('notice-place')
  place.append(byId('notice'))
}

export function hideNotice(): void {
  byId('notice').hidden = true
}

/** Calls a method of `JMRTC`, writes down how it went and says a failure in words. True when it succeeded. */
export async function act(method: string, call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call()
    hideNotice()
    log(`${method}()`, 'succeeded')
    return true
  } catch (thrown) {
    const failure = thrown as Failure
    log(`${method}()`, `${failure.name}: ${failure.description}`, true)
    notice(failureWords(failure))
    return false
  }
}
