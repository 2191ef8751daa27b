// Chromium with a microphone that says what a WAV file holds, and pages in it that are driven through window.JMRTC only.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { temporary } from './paths.mjs'
import './process.mjs'
import { Diary, QUIET } from './story.mjs'
import { PATIENCE, within } from './wait.mjs'
import { writeWav } from './wav.mjs'

const CHROMIUM = process.env.JMRTC_CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)

const open = new Set()

/** Chromium as a program that lives in the network namespace `netns`. */
function inNamespace(netns) {
  const file = join(temporary('netns'), 'chromium')
  writeFileSync(file, `#!/bin/sh\nexec ip netns exec ${netns} ${CHROMIUM} "$@"\n`, { mode: 0o755 })
  return file
}

function options({ microphone, once, args, permissions, netns }) {
  if (!CHROMIUM) throw new Error('no Chromium: apt-get install chromium, or set JMRTC_CHROMIUM')
  return {
    executablePath: netns ? inNamespace(netns) : CHROMIUM,
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
      '--disable-backgrounding-occluded-windows', '--autoplay-policy=no-user-gesture-required',
      ...(permissions ? ['--use-fake-ui-for-media-stream'] : []),
      '--use-fake-device-for-media-stream',
      ...(microphone ? [`--use-file-for-fake-audio-capture=${microphone}${once ? '%noloop' : ''}`] : []),
      ...args,
    ],
  }
}

/** Starts a Chromium whose microphone plays `microphone` (path of a WAV), once with `once`, else again and again. In the network namespace `netns` it is given pages by this process. */
export async function startBrowser({ microphone, once = false, args = [], permissions = true, netns } = {}) {
  const profile = temporary('chromium')
  const context = await chromium.launchPersistentContext(profile, options({ microphone, once, args, permissions, netns }))
  if (netns) await context.route('http://127.0.0.1:*/**', async (route) => route.fulfill({ response: await route.fetch() }))
  /** Its folder, by which its processes are known. */
  context.profile = profile
  open.add(context)
  context.on('close', () => open.delete(context))
  return context
}

/** Starts a Chromium for many contexts: what is in one dies alone. */
export async function startContexts() {
  const browser = await chromium.launch(options({ once: false, args: [], permissions: true }))
  open.add(browser)
  browser.on('disconnected', () => open.delete(browser))
  return browser
}

/** Closes every browser of this test file. */
export async function closeBrowsers() {
  for (const context of open) await context.close()
}

/**
 * Runs in the page before anything else. It only listens: what is played, when the microphone was opened.
 * The API is left alone.
 */
export function eavesdrop() {
  const inner = window !== window.top
  const e2e = (window.__e2e = inner ? window.top.__e2e : { peers: [], opened: [], tracks: [] })
  const Native = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args)
      // What it receives is there when it makes its offer; one that only looks at the networks receives nothing.
      this.addEventListener('signalingstatechange', () => {
        if (this.getTransceivers().length === 0) return
        e2e.peers.push(this)
        e2e.recording?.listen(this)
      }, { once: true })
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState === 'connected') this.connectedAt ??= performance.now()
      })
    }
    setRemoteDescription(description) {
      this.answeredAt ??= performance.now()
      e2e.negotiations = (e2e.negotiations ?? 0) + 1
      return super.setRemoteDescription(description)
    }
  }
  // Connections are made in frames of their own; all else is of the page.
  if (inner) return
  const devices = navigator.mediaDevices
  if (devices) {
    const getUserMedia = devices.getUserMedia.bind(devices)
    devices.getUserMedia = async (constraints) => {
      const stream = await getUserMedia(constraints)
      e2e.opened.push(Date.now())
      e2e.tracks.push(...stream.getTracks())
      return stream
    }
  }
  /** Microphone tracks that are open right now. */
  e2e.live = () => e2e.tracks.filter((t) => t.readyState === 'live').length
  /** Records everything that arrives on every receiver of the newest connection, and of those that take its place, mixed. No worklet: a page's policy may forbid its script. */
  e2e.record = async () => {
    const context = new AudioContext({ sampleRate: 48_000 })
    await context.resume()
    const mix = new MediaStreamAudioDestinationNode(context, { channelCount: 1 })
    const listen = (peer) => {
      for (const { receiver } of peer.getTransceivers()) {
        if (receiver.track.kind === 'audio') context.createMediaStreamSource(new MediaStream([receiver.track])).connect(mix)
      }
    }
    listen(e2e.peers.at(-1))
    const [track] = mix.stream.getAudioTracks()
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 500 }).readable.getReader()
    const chunks = []
    e2e.soundAt = undefined
    const done = (async () => {
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return
        const chunk = new Float32Array(value.numberOfFrames)
        value.copyTo(chunk, { planeIndex: 0, format: 'f32-planar' })
        value.close()
        chunks.push(chunk)
        // Unix milliseconds.
        if (e2e.soundAt === undefined && chunk.some((s) => Math.abs(s) > 0.01)) e2e.soundAt = performance.timeOrigin + performance.now()
      }
    })()
    e2e.recording = { context, track, chunks, done, listen }
  }
  /** Ends the recording; 16-bit samples in base64. */
  e2e.finish = async () => {
    const { context, track, chunks, done } = e2e.recording
    track.stop()
    await done
    await context.close()
    const samples = new Int16Array(chunks.reduce((n, c) => n + c.length, 0))
    let at = 0
    for (const chunk of chunks) for (const s of chunk) samples[at++] = Math.max(-1, Math.min(1, s)) * 32767
    let text = ''
    const bytes = new Uint8Array(samples.buffer)
    for (let i = 0; i < bytes.length; i += 32_768) text += String.fromCharCode(...bytes.subarray(i, i + 32_768))
    return btoa(text)
  }
}

/** Ends the recording that `eavesdrop`'s `record` began in `tab`; resolves with the path of the WAV. */
export async function saveRecording(tab, name) {
  const pcm = Buffer.from(await tab.evaluate(() => window.__e2e.finish()), 'base64')
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)
  return writeWav(join(temporary('page'), `${name}.wav`), Float32Array.from(samples, (s) => s / 32768))
}

const EVENTS = ['CallOutgoing', 'CallReceiveInvite', 'CallConnecting', 'CallConnected', 'CallMemberJoin', 'CallMemberLeave', 'CallDisconnect', 'CallOtherUserInvited', 'CallMemberMuted', 'CallActiveSpeakers', 'CallError', 'CallReconnecting', 'CallReconnected', 'CallQuality']

/** An app in a browser tab: everything it does goes through window.JMRTC. */
export class Page extends Diary {
  /** Opens `url` in `browser` and listens to every event. */
  static async open({ browser, url, user, memory }) {
    const page = new Page()
    page.options = { browser, url, user }
    page.user = user
    page.tab = await browser.newPage()
    page.problems = []
    page.tab.on('pageerror', (error) => page.problems.push(String(error.stack ?? error)))
    page.tab.on('console', (message) => {
      if (process.env.JMRTC_E2E_VERBOSE) console.error(`[page ${user}] ${message.text()}`)
    })
    await page.tab.addInitScript(eavesdrop)
    if (memory) await page.tab.addInitScript((memory) => Object.assign(sessionStorage, memory), memory)
    await page.tab.exposeFunction('__tell', (name, payload) => page.event(name, payload))
    await page.tab.exposeFunction('__answer', (method, answer) => page.reply(method, answer))
    await page.load()
    return page
  }

  /** Loads the page and listens to every event. */
  async load() {
    await this.tab.goto(this.options.url)
    await within(this.tab.waitForFunction(() => typeof window.JMRTC === 'object' && typeof window.JMRTC.startCallUsers === 'function'), 'window.JMRTC')
    await this.tab.evaluate((events) => {
      for (const name of events) window.JMRTC[`add${name}Listener`]((payload) => window.__tell(name, payload))
    }, EVENTS)
  }

  /** Opens one, signed in and with its engine ready. */
  static async ready(options) {
    const page = await Page.open(options)
    await page.call('login', { token: options.token ?? options.mint(options.user), ...(options.server ? { serverUrl: options.server } : {}) })
    await page.call('initEngine')
    page.forget('login', 'initEngine')
    page.options = options
    return page
  }

  /** Calls a method of window.JMRTC with the seed's callbacks; resolves with its result, rejects with its failure. */
  async call(method, args) {
    const answer = await within(this.tab.evaluate(([method, args, quiet]) => new Promise((resolve) => {
      const done = (answer) => {
        if (!quiet) window.__answer(method, answer)
        resolve(answer)
      }
      const callbacks = [(result) => done({ result: result ?? null }), (error) => done({ error: { ...error, code: error.code, name: error.name, description: error.description } })]
      window.JMRTC[method](...(args === undefined ? callbacks : [args, ...callbacks]))
    }), [method, args, QUIET.has(method)]), () => `${this.user}: an answer to ${method}`)
    if (answer.error) throw Object.assign(new Error(`${method}: ${answer.error.name} ${answer.error.description}`), answer.error)
    return answer.result
  }

  /** What a browser tells of the system: only that the network has changed. */
  async system(event) {
    if (event !== 'networkChanged') throw new Error(`a page is not told ${event}`)
    await this.tab.evaluate(() => {
      const { connection } = navigator
      Object.defineProperty(connection, 'type', { configurable: true, value: connection.type === 'cellular' ? 'wifi' : 'cellular' })
      connection.dispatchEvent(new Event('change'))
    })
  }

  record() {
    return this.tab.evaluate(() => window.__e2e.record())
  }

  /** Ends the recording; resolves with the path of the WAV. */
  finish() {
    return saveRecording(this.tab, this.user)
  }

  /** Microphone tracks that are open now. */
  microphones() {
    return this.tab.evaluate(() => window.__e2e.live())
  }

  /** The tab is gone without a word, as when the system kills an app. */
  async kill() {
    const session = await this.tab.context().newCDPSession(this.tab)
    // Not by a script: the page may sleep.
    const storageId = { securityOrigin: new URL(this.options.url).origin, isLocalStorage: false }
    const { entries } = await session.send('DOMStorage.getDOMStorageItems', { storageId })
    this.options.memory = Object.fromEntries(entries)
    const gone = new Promise((resolve) => this.tab.once('crash', resolve))
    session.send('Page.crash').catch(() => {})
    await within(gone, 'the tab to crash', PATIENCE)
    await this.tab.close()
  }

  async stop() {
    await this.tab.close()
  }
}
