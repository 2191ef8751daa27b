// The demo page, driven as a person does.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { afterEach, before } from 'node:test'
import { accessibilityProblems } from './a11y.mjs'
import { eavesdrop, saveRecording, startBrowser } from './browser.mjs'
import { out } from './paths.mjs'
import { Server } from './server.mjs'
import { RECOGNISED, assertCallHeard, sentence } from './speech.mjs'
import { PATIENCE, pass } from './wait.mjs'
import { cleanUp } from './world.mjs'

export const DESKTOP = { width: 1280, height: 800 }
export const PHONE = { width: 390, height: 844 }

/** A server, and a browser each for Alice and Bob, for the tests of a file; `visit(user)` opens the page for one. */
export function startDemo() {
  const demo = {
    visit: (user, { query = '', browser = demo.browsers[user], ...look } = {}) => visit(`${demo.server.url}/${query}`, { browser, ...look }),
  }
  before(async () => {
    demo.server = await Server.start({ ringS: 30 })
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((user) => startBrowser({ microphone: sentence(user) })))
    demo.browsers = { alice, bob }
  })
  cleanUp(() => demo.server)
  // A test that failed must not leave its users in a call.
  afterEach(async () => {
    for (const context of Object.values(demo.browsers)) for (const tab of context.pages()) if (tab.url().startsWith('http')) await tab.close()
  })
  return demo
}

/** Opens the page and keeps what goes wrong in it. */
export async function visit(url, { browser, viewport = DESKTOP, dark = false }) {
  const tab = await browser.newPage()
  tab.setDefaultTimeout(PATIENCE)
  tab.problems = []
  tab.on('pageerror', (error) => tab.problems.push(String(error)))
  tab.on('console', (m) => m.type() === 'error' && tab.problems.push(m.text()))
  tab.on('response', (r) => r.status() >= 400 && tab.problems.push(`${r.status()} ${r.url()}`))
  await tab.addInitScript(eavesdrop)
  await tab.setViewportSize(viewport)
  await tab.emulateMedia({ colorScheme: dark ? 'dark' : 'light' })
  await tab.goto(url)
  return tab
}

export async function signIn(tab, user) {
  await tab.getByLabel('Your name').fill(user)
  await tab.getByRole('button', { name: 'Sign in' }).click()
  await tab.getByRole('heading', { name: 'People' }).waitFor()
}

/** Waits until the call's state is told in these words. */
export const state = (tab, words) => tab.locator('#call-state', { hasText: words }).waitFor()

/** Waits until the meter shows sound, or none. */
export const meter = (tab, id, loud) => tab.waitForFunction(([id, loud]) => {
  const value = Number(document.getElementById(id).getAttribute('aria-valuenow'))
  return loud ? value > 30 : value < 5
}, [id, loud], { polling: 50 })

/** A screenshot; nothing that a screen reader would stumble over must be in it. */
export async function picture(tab, name) {
  await tab.screenshot({ path: join(out, `demo-${name}.png`) })
  const problems = await accessibilityProblems(tab)
  assert.deepEqual(problems, [], `${name}: accessibility`)
}

/** Fails unless Alice and Bob hear each other's sentences in the call that they are in. */
export function hearEachOther(alice, bob, t) {
  return assertCallHeard(async () => {
    await Promise.all([alice, bob].map((tab) => tab.evaluate(() => window.__e2e.record())))
    await pass(8_500)
    return [
      { said: sentence('alice'), heard: await saveRecording(bob, 'bob'), what: 'Bob hears Alice', bar: RECOGNISED },
      { said: sentence('bob'), heard: await saveRecording(alice, 'alice'), what: 'Alice hears Bob', bar: RECOGNISED },
    ]
  }, t)
}

/** Closes the pages; nothing must have gone wrong in them. */
export async function leave(...tabs) {
  for (const tab of tabs) {
    assert.deepEqual(tab.problems, [], 'errors in the page')
    await tab.close()
  }
}
