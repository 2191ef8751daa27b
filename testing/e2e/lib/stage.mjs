// The stage of the scenarios: a real server and real apps, for a runner (jmrtc-scenarios) that says what happens.
// Its protocol is in docs/scenarios.md.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { relative } from 'node:path'
import { apiPage } from './api-page.mjs'
import { Page, startContexts } from './browser.mjs'
import { program, root, temporary } from './paths.mjs'
import { Child } from './process.mjs'
import { Proxy } from './proxy.mjs'
import { Server, backendToken, token } from './server.mjs'
import { PATIENCE, pass, until, within } from './wait.mjs'

/** Above the runner's own numbers. */
const QUESTION = 2 ** 40

/** What a jmrtc-phone says of a line that it can't do. */
const REFUSED = 'not understood: '

/** Nothing is there to be unplugged; but a call that has begun may be about to open its microphone, for so long. One that is over closes it sooner. */
const UNUSED = 'no microphone is in use'
const OPENS_MS = 5_000
const CLOSES_MS = 1_500

/** Does it, and again for as long as it fails so and the microphone may be on its way to `state`. */
async function again(state, does, awake = 0) {
  const end = Math.max(Date.now(), awake) + (state === 'closed' ? CLOSES_MS : OPENS_MS)
  for (;;) {
    try {
      return await does()
    } catch (error) {
      if (![UNUSED, 'the microphone is closed', 'the microphone is open'].includes(error.message) || Date.now() > end) throw error
      await pass(20)
    }
  }
}

/** A jmrtc-phone under control. */
class PhoneDevice {
  asked = new Map()
  /** What it did not do, and why. */
  refused = []
  /** When it wakes. */
  awake = 0
  /** What the system's call screen or notification has shown last. */
  screen

  async start({ device, id, report, network }) {
    this.folder ??= temporary('phone')
    this.screen = undefined
    this.child = new Child(`phone ${device}`, program('jmrtc-phone'), ['--server', network.url, '--json', '--audio', 'null', '--device-id', id, '--folder', this.folder, 'drive'])
    this.child.out.push = (line) => {
      const { event, id, result, error, payload, text, action, channelId, stay } = JSON.parse(line)
      if (event === 'note' && text.startsWith(REFUSED)) this.refused.push(text.slice(REFUSED.length))
      else if (event === 'reply' && id >= QUESTION) this.asked.get(id)(result)
      else if (event === 'reply') report({ device, call: id, ...(error ? { error } : { result }) })
      else if (event.startsWith('Call')) report({ device, event, payload })
      else if (action === 'showIncoming' || action === 'callStarted') this.screen = { channelId, stay }
    }
  }

  #write(line) {
    this.child.process.stdin.write(`${JSON.stringify(line)}\n`)
  }

  /** How the phone stands when it has read what was said before: it answers at once, and reads in order. */
  #state() {
    const id = QUESTION + this.asked.size
    const answered = new Promise((resolve) => this.asked.set(id, resolve))
    this.#write({ id, method: 'getState' })
    // Who sleeps reads when it wakes.
    return within(answered, `${this.child.name} to read what it was told`, PATIENCE + Math.max(0, this.awake - Date.now()))
  }

  async #say(line) {
    this.refused = []
    this.#write(line)
    await this.#state()
    if (this.refused.length > 0) throw new Error(this.refused.join('; '))
  }

  call(call, method, args) {
    return this.#say({ id: call, method, args })
  }

  /** At what the screen shows now, also where the phone sleeps and is told of it later. */
  async system(event) {
    if (event === 'networkChanged') return this.#say({ event })
    if (Date.now() >= this.awake) await this.#state()
    if (!this.screen) throw new Error('the system has shown no call')
    return this.#say({ event, ...this.screen })
  }

  sleep(ms) {
    this.child.kill('SIGSTOP')
    this.awake = Date.now() + ms
    this.alarm = setTimeout(() => this.child.kill('SIGCONT'), ms)
  }

  microphone(state) {
    return again(state, () => this.#say({ microphone: state }), this.awake)
  }

  microphoneIs(state) {
    return again(state, () => this.#say({ microphoneIs: state }), this.awake)
  }

  async kill() {
    clearTimeout(this.alarm)
    this.awake = 0
    this.child.kill('SIGKILL')
    await this.child.ended
  }

  async stop() {
    const { code } = await this.child.stop('SIGINT')
    assert.equal(code, 0, `${this.child.name} ended with ${code}`)
  }
}

let browser
let pages
/** Tabs, each in a browser context of its own: what is in one dies alone. A new one costs more than a scenario. */
const idle = []

const random = () => randomBytes(8).toString('hex')

/** Before the first method is called the page is no device yet: it becomes the one that is kept in its storage. */
function becomeDevice([browser, tab]) {
  sessionStorage.clear()
  localStorage.setItem('jmrtc.device', browser)
  sessionStorage.setItem('jmrtc.tab', tab)
}

/** A page in a browser. */
class PageDevice {
  /** When it wakes. */
  awake = 0

  async start({ device, like, report, network }) {
    browser ??= startContexts()
    pages ??= apiPage()
    this.network = network
    const isNew = !this.context
    const found = isNew ? idle.pop() : undefined
    this.context ??= found?.context ?? (await (await browser).newContext())
    if (found) {
      this.page = found.page
      await this.page.load()
    } else {
      const page = (this.page = await Page.open({ browser: this.context, url: await pages, user: device, memory: this.memory }))
      await page.tab.exposeFunction('__report', (call, answer) => page.answer(call, answer))
    }
    if (isNew) await this.page.tab.evaluate(becomeDevice, (like.identity ??= [random(), random()]))
    this.page.event = (event, payload) => report({ device, event, payload })
    this.page.answer = (call, answer) => report({ device, call, ...answer })
  }

  async call(call, method, args) {
    const given = method === 'login' && args && !args.serverUrl ? { ...args, serverUrl: this.network.url } : args
    await this.page.tab.evaluate(([call, method, args]) => {
      const callbacks = [
        (result) => window.__report(call, { result: result ?? null }),
        ({ code, name, description }) => window.__report(call, { error: { code, name, description } }),
      ]
      window.JMRTC[method](...(args === undefined ? callbacks : [args, ...callbacks]))
    }, [call, method, given])
  }

  system(event) {
    return this.page.system(event)
  }

  /** A page that sleeps runs no script; the browser's own threads go on, as the system's do on a phone. */
  async sleep(ms) {
    const session = await this.page.tab.context().newCDPSession(this.page.tab)
    await session.send('Debugger.enable')
    await session.send('Debugger.pause')
    this.alarm = setTimeout(() => session.detach(), ms)
    this.awake = Date.now() + ms
  }

  microphone(state) {
    return again(state, () => this.#microphone(state), this.awake)
  }

  /** Chromium's own microphone always works, is given to everybody and stays. */
  async #microphone(state) {
    const done = await this.page.tab.evaluate(async (state) => {
      const waiting = (window.__waiting ??= [])
      const live = window.__e2e.tracks.filter((track) => track.readyState === 'live')
      if (state === 'unplugged' && live.length === 0) return false
      const devices = navigator.mediaDevices
      const real = (window.__real ??= { getUserMedia: devices.getUserMedia, enumerateDevices: devices.enumerateDevices, query: navigator.permissions.query })
      const gone = state === 'broken' || state === 'unplugged'
      const fails = (name) => () => Promise.reject(new DOMException('the test wants it so', name))
      const asks = (...args) => new Promise((resolve) => {
        waiting.push(() => {
          const answer = devices.getUserMedia(...args)
          resolve(answer)
          return answer
        })
      })
      devices.getUserMedia = { asked: asks, refused: fails('NotAllowedError'), granted: real.getUserMedia }[state] ?? fails('NotFoundError')
      devices.enumerateDevices = gone ? () => Promise.resolve([]) : real.enumerateDevices
      navigator.permissions.query = state === 'refused' || state === 'asked' ? () => Promise.resolve({ state: 'prompt' }) : real.query
      if (state !== 'asked') await Promise.allSettled(waiting.splice(0).map((answer) => answer()))
      if (state !== 'unplugged') return true
      for (const track of live) {
        track.stop()
        track.dispatchEvent(new Event('ended'))
      }
      return true
    }, state)
    if (!done) throw new Error(UNUSED)
  }

  microphoneIs(state) {
    return again(state, async () => {
      const { live, ever } = await this.page.tab.evaluate(() => ({ live: window.__e2e.live() > 0, ever: window.__e2e.tracks.length > 0 }))
      if (live !== (state === 'open')) throw new Error(`the microphone is ${live ? 'open' : 'closed'}`)
      if (ever && state === 'untouched') throw new Error('the microphone was open')
    }, this.awake)
  }

  async kill() {
    clearTimeout(this.alarm)
    this.awake = 0
    await this.page.kill()
    this.memory = this.page.options.memory
  }

  async stop() {
    const { context, page, memory } = this
    this.context = undefined
    if (memory || page.problems.length > 0) await context.close()
    else {
      await page.tab.goto('about:blank')
      idle.push({ context, page })
    }
    assert.deepEqual(page.problems, [], 'errors in a page')
  }
}

/** How much longer a message takes on a slow network. */
const SLOW_MS = 200

const pathOf = (user) => `/v1/users/${encodeURIComponent(user)}`

const DEVICES = { phone: PhoneDevice, browser: PageDevice }

/** Plays one scenario file; `kinds` is a kind for all devices or `{user: kind}`. Resolves with the runner's `{verdict, why}`. */
export async function playScenario(file, kinds) {
  const kindOf = (device) => (typeof kinds === 'string' ? kinds : kinds[device.split('/')[0]] ?? 'phone')
  const all = typeof kinds === 'string' ? [kinds] : [...new Set(['phone', ...Object.values(kinds)])]
  const runner = new Child(`scenario ${relative(root, file)}`, program('jmrtc-scenarios'), ['--stage', all.join(','), relative(root, file)], { cwd: root })
  const say = (message) => runner.process.stdin.write(`${JSON.stringify(message)}\n`)
  const stage = new Stage(kindOf, say)
  try {
    let doing = Promise.resolve()
    const verdict = new Promise((resolve, reject) => {
      runner.out.push = (line) => {
        const order = JSON.parse(line)
        if (order.verdict) return resolve(order)
        doing = doing.then(() => stage[order.do](order)).then(() => say({ done: true }), (error) => say({ done: false, why: error.message }))
      }
      runner.ended.then(({ code, signal }) => reject(new Error(`the runner ended with ${code ?? signal}: ${runner.err.join('\n')}`)))
    })
    return await verdict
  } finally {
    runner.kill()
    await Promise.all([runner.ended, stage.clear()])
  }
}

/** What the runner's orders do. */
class Stage {
  #devices = new Map()
  #server
  /** It was not stopped or killed. */
  #serves = false

  constructor(kindOf, report) {
    this.kindOf = kindOf
    this.report = report
  }

  async open({ devices, settings: { ringMs, graceMs, pingMs, maxMembers, keepCalls, relations } }) {
    this.#server = await Server.start({ ringS: ringMs / 1000, graceS: graceMs / 1000, args: ['--ping-time', `${pingMs}ms`, '--max-members', maxMembers, ...(keepCalls ? ['--keep-calls'] : [])] })
    this.#serves = true
    for (const user of new Set(devices.map((device) => device.split('/')[0]))) await this.make({ user, profile: {} })
    for (const related of relations) await this.relate(related)
    for (const device of devices) {
      this.#devices.set(device, { app: new DEVICES[this.kindOf(device)](), network: await Proxy.start(this.#server.port), runs: false })
    }
  }

  async #backend(method, path, body) {
    const { status, body: answer } = await this.#server.rest(method, path, backendToken(), body)
    assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(answer)}`)
  }

  make({ user, profile }) {
    return this.#backend('PUT', pathOf(user), profile)
  }

  delete({ user }) {
    return this.#backend('DELETE', pathOf(user))
  }

  relate({ of, to, relation }) {
    return this.#backend('PUT', `${pathOf(of)}/relations/${encodeURIComponent(to)}`, relation)
  }

  async start({ device, id }) {
    const known = this.#devices.get(device)
    await known.app.start({ device, id, like: this.#devices.get(id).app, report: this.report, network: known.network })
    known.runs = true
    if (known.microphone) await known.app.microphone(known.microphone)
  }

  async kill({ device }) {
    const known = this.#devices.get(device)
    known.runs = false
    await known.app.kill()
  }

  async call({ device, call, method, args }) {
    const real = args?.token?.$token
    const given = real ? { ...args, token: token(real.user, { seconds: real.ms / 1000 }) } : args
    await this.#devices.get(device).app.call(call, method, given)
  }

  network({ device, state }) {
    const { network } = this.#devices.get(device)
    if (state === 'cut') network.cut()
    else if (state === 'silent') network.freeze()
    else if (state === 'held') network.hold()
    else if (state === 'slow') network.slow(SLOW_MS)
    else {
      network.slow(0)
      network.restore()
      network.release()
    }
  }

  async system({ device, event }) {
    await this.#devices.get(device).app.system(event)
  }

  async sleep({ device, ms }) {
    await this.#devices.get(device).app.sleep(ms)
  }

  async microphone({ device, state }) {
    const known = this.#devices.get(device)
    if (known.runs) await known.app.microphone(state)
    else if (state === 'unplugged') throw new Error(UNUSED)
    // The next app on this device finds it so.
    known.microphone = state === 'unplugged' ? 'broken' : state
  }

  async microphoneIs({ device, state }) {
    await this.#devices.get(device).app.microphoneIs(state)
  }

  /** What is so already stays so. */
  async server({ state }) {
    if (state === 'readOnly') {
      if (!this.#server.lock) await this.#server.lockStore()
    } else if (state === 'running') {
      if (this.#server.lock) await this.#server.freeStore()
      if (!this.#serves) this.#server = await this.#server.again()
      this.#serves = true
    } else if (this.#serves) {
      this.#serves = false
      await (state === 'stopped' ? this.#server.stop() : this.#server.kill())
    }
  }

  async close() {
    if (this.#serves) await this.#expectNoCalls()
    for (const known of this.#devices.values()) {
      if (!known.runs) continue
      // Not twice, or another scenario would have its tab by then.
      known.runs = false
      await known.app.stop()
    }
    if (!this.#serves) return
    await this.#server.expectEmpty()
    const { code } = await this.#server.stop()
    assert.equal(code, 0, `the server ended with ${code}`)
  }

  async #expectNoCalls() {
    let counts
    await until(async () => {
      const metrics = await this.#server.metrics()
      counts = Object.entries(metrics).filter(([name, value]) => /^jmrtc_(calls|links)(_active|_open)?(\{|$)/.test(name) && value !== 0)
      return counts.length === 0
    }, () => `a server without calls; there are ${JSON.stringify(counts)}`)
  }

  /** Ends what a failure has left. */
  async clear() {
    for (const { app, network, runs } of this.#devices.values()) {
      if (runs) await app.kill().catch(() => {})
      await app.context?.close().catch(() => {})
      network.stop()
    }
    await this.#server?.kill()
    if (this.#server?.lock) await this.#server.freeStore()
  }
}
