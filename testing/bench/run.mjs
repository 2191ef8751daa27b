// `npm run bench`: how a call of ours goes, each figure beside the same of libwebrtc in the same run: @roamhq/wrtc through
// our server, @roamhq/wrtc to itself without anything of ours, and Chromium through window.JMRTC. Release builds.
// `npm run bench -- 3` makes three calls of each kind instead of five. Nothing here passes or fails.
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { install } from '../../scripts/install.mjs'
import { must } from '../../scripts/run.mjs'

process.env.JMRTC_PROFILE ??= 'release'
await install('test')
console.error(`building (${process.env.JMRTC_PROFILE}) …`)
await must('npm', ['run', '--silent', 'build'])
await must('cargo', ['build', '--quiet', '--workspace', ...(process.env.JMRTC_PROFILE === 'release' ? ['--release'] : [])])
// As it is built for phones.
await must('cargo', ['build', '--quiet', '--profile', 'library', '-p', 'jmrtc-bindings'])
// Only now: what follows takes its place before all other programs.
const { root, out, program, temporary } = await import('../e2e/lib/paths.mjs')
const { Child, cpuSeconds, family, killAll } = await import('../e2e/lib/process.mjs')
const { Phone } = await import('../e2e/lib/phone.mjs')
const { Page, closeBrowsers, startBrowser } = await import('../e2e/lib/browser.mjs')
const { Relay } = await import('../e2e/lib/relay.mjs')
const { Server, token } = await import('../e2e/lib/server.mjs')
const { compare, sentence, silence } = await import('../e2e/lib/speech.mjs')
const { apiPage } = await import('../e2e/lib/api-page.mjs')
const { pass, until, within } = await import('../e2e/lib/wait.mjs')
const { readWav, writeWav } = await import('../e2e/lib/wav.mjs')
const { mobility } = await import('./mobility.mjs')
const { table } = await import('./table.mjs')

const CALLS = Number(process.argv[2] ?? 5)
/** Rings this long before it is accepted, as it does with people: links are up by then. */
const RING_MS = 700
const LOAD_MS = 10_000

/** A burst of noise, to know the very beginning by, then two people's sentences, to know each moment by. */
function sound(first, second) {
  const parts = [Float32Array.from({ length: 14_400 }, () => 0.6 * Math.random() - 0.3), readWav(sentence(first)).samples, readWav(sentence(second)).samples]
  const all = new Float32Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return writeWav(join(temporary('bench'), `${first}.wav`), all)
}
const SAID = { alice: sound('alice', 'carol'), bob: sound('bob', 'alice') }
const SAID_MS = Math.round(Math.min(...Object.values(SAID).map((p) => readWav(p).seconds)) * 1000)

const sorted = (values) => values.filter(Number.isFinite).sort((a, b) => a - b)
const quantile = (values, q) => sorted(values)[Math.min(sorted(values).length - 1, Math.floor(q * sorted(values).length))]
const median = (values) => quantile(values, 0.5)

/** Delays of every recognised window of what was heard, from ear to ear in real time. */
function delays(said, heard, playBegan, recordBegan) {
  const [result] = compare([{ said, heard }])
  return result.delays.map((d) => d + recordBegan - playBegan)
}

/** Unix milliseconds at which the first sound of a recording was played. */
function firstSound({ samples, rate }, recordBegan) {
  const at = samples.findIndex((s) => Math.abs(s) > 0.01)
  return at < 0 ? NaN : recordBegan + (at * 1000) / rate
}

/** A libwebrtc endpoint in its own process. */
class Wrtc {
  static async start(server, user) {
    const wrtc = new Wrtc()
    wrtc.child = new Child(`wrtc ${user}`, process.execPath, [join(root, 'testing/bench/endpoint.mjs')])
    if (server) await wrtc.do('signIn', { url: server.url, user })
    return wrtc
  }

  #asked = 0
  async do(method, args = {}) {
    const index = this.#asked++
    this.child.process.stdin.write(`${JSON.stringify({ method, ...args })}\n`)
    await until(() => this.child.out.items.length > index, `${method} of ${this.child.name}`, 60_000)
    const answer = JSON.parse(this.child.out.items[index])
    if (answer.error) throw new Error(`${method}: ${answer.error}`)
    return answer
  }

  stop() {
    this.child.process.stdin.end()
    return within(this.child.ended, 'a libwebrtc endpoint to end')
  }
}

const ready = (server, user, options = {}) => Phone.ready({ url: server.url, user, device: `${user}-device`, ...options })

/** Calls between phones: when the first sound comes after accept, and how long every later one takes. */
async function phoneCalls(server) {
  const r = { callee: [], caller: [], delay: [], link: [], rtt: [] }
  for (let i = 0; i < CALLS; i++) {
    const a = await ready(server, 'alice', { play: SAID.alice, record: true })
    const b = await ready(server, 'bob', { play: SAID.bob, record: true })
    await a.call('startCallUsers', { usernames: ['bob'] })
    await b.until('CallReceiveInvite')
    await pass(RING_MS)
    const accepted = Date.now()
    await b.call('accept')
    await pass(SAID_MS + 500)
    await a.call('hangup')
    await b.until('CallDisconnect')
    const [atA, atB] = [a.stats, b.stats]
    await Promise.all([a.stop(), b.stop()])
    r.callee.push(firstSound(readWav(b.recording), atB.recordBeganMs) - accepted)
    r.caller.push(firstSound(readWav(a.recording), atA.recordBeganMs) - accepted)
    r.delay.push(...delays(SAID.alice, b.recording, atA.playBeganMs, atB.recordBeganMs), ...delays(SAID.bob, a.recording, atB.playBeganMs, atA.recordBeganMs))
    r.link.push(atA.linkSetupMs, atB.linkSetupMs)
    r.rtt.push(atA.rttMs + atB.rttMs)
  }
  return r
}

/** The same between libwebrtc endpoints through our server. */
async function wrtcCalls(server) {
  const r = { callee: [], caller: [], delay: [], link: [] }
  const folder = temporary('bench')
  for (let i = 0; i < CALLS; i++) {
    const [a, b] = await Promise.all([Wrtc.start(server, 'alice'), Wrtc.start(server, 'bob')])
    const rung = b.do('rung')
    const ring = await a.do('ring', { to: 'bob' })
    const joined = a.do('joined', { play: SAID.alice })
    r.link.push(ring.linkMs, (await rung).linkMs)
    await pass(RING_MS)
    const { at } = await b.do('accept', { play: SAID.bob })
    await joined
    await pass(SAID_MS + 500)
    const [pathA, pathB] = [join(folder, `a${i}.wav`), join(folder, `b${i}.wav`)]
    const [heardA, heardB] = await Promise.all([a.do('heard', { path: pathA }), b.do('heard', { path: pathB })])
    r.callee.push(heardB.sound - at)
    r.caller.push(heardA.sound - at)
    r.delay.push(...delays(SAID.alice, pathB, heardA.play, heardB.record), ...delays(SAID.bob, pathA, heardB.play, heardA.record))
    await a.do('hangup')
    await Promise.all([a.stop(), b.stop()])
  }
  return r
}

/** libwebrtc to itself. */
async function direct() {
  const r = { delay: [] }
  const path = join(temporary('bench'), 'direct.wav')
  const one = await Wrtc.start()
  for (let i = 0; i < CALLS; i++) {
    const heard = await one.do('direct', { play: SAID.alice, path, ms: SAID_MS + 500 })
    r.delay.push(...delays(SAID.alice, path, heard.play, heard.record))
  }
  await one.stop()
  return r
}

/** Chromium through window.JMRTC, called by a phone. */
async function chromiumCalls(server, browser, url) {
  const r = { callee: [], link: [] }
  for (let i = 0; i < CALLS; i++) {
    const page = await Page.ready({ user: 'bob', server: server.url, url, browser, mint: token })
    const a = await ready(server, 'alice', { play: SAID.alice })
    await a.call('startCallUsers', { usernames: ['bob'] })
    await page.until('CallReceiveInvite')
    await pass(RING_MS)
    await page.record()
    const accepted = Date.now()
    await page.call('accept')
    await page.tab.waitForFunction(() => window.__e2e.soundAt)
    r.callee.push((await page.tab.evaluate(() => window.__e2e.soundAt)) - accepted)
    r.link.push(await page.tab.evaluate(() => window.__e2e.peers.at(-1).connectedAt - window.__e2e.peers.at(-1).answeredAt))
    await a.call('hangup')
    await page.until('CallDisconnect')
    await Promise.all([page.stop(), a.stop()])
  }
  return r
}

/** CPU milliseconds of one endpoint for a call that rings with its link up and is given up; `calls` of them. */
async function linkCpu(server) {
  const calls = 4 * CALLS
  await (await ready(server, 'idle')).stop()
  const phone = await ready(server, 'alice')
  let begin = phone.child.cpuSeconds()
  for (let i = 0; i < calls; i++) {
    phone.clear()
    await phone.call('startCallUsers', { usernames: ['idle'] })
    await pass(150)
    await phone.call('hangup')
    await phone.until('CallDisconnect')
  }
  const ours = ((phone.child.cpuSeconds() - begin) * 1000) / calls
  await phone.stop()
  const wrtc = await Wrtc.start(server, 'alice')
  begin = wrtc.child.cpuSeconds()
  for (let i = 0; i < calls; i++) {
    await wrtc.do('ring', { to: 'idle' })
    await wrtc.do('hangup')
    await wrtc.do('clear')
  }
  const theirs = ((wrtc.child.cpuSeconds() - begin) * 1000) / calls
  await wrtc.stop()
  return { ours, theirs }
}

/** CPU seconds per minute and what goes over the wire while an endpoint talks to a phone that only listens. */
async function load(server, relay, { start, talk, hangup, stop, pids }) {
  const listener = await ready(server, 'listener')
  await listener.call('setIsMuted', { muted: true })
  await start()
  await listener.until('CallReceiveInvite')
  await pass(RING_MS)
  await listener.call('accept')
  await listener.until('CallConnected')
  await talk()
  await pass(1_000)
  // The listener is muted: whoever sends sound is the one that called.
  const mine = relay.packets('rtp', { up: true }).at(-1).client
  const [mark, cpu, serverCpu, begin] = [relay.mark, pids().reduce((n, p) => n + cpuSeconds(p), 0), server.child.cpuSeconds(), performance.now()]
  await pass(LOAD_MS)
  const seconds = (performance.now() - begin) / 1000
  const minutes = seconds / 60
  const used = (pids().reduce((n, p) => n + cpuSeconds(p), 0) - cpu) / minutes
  const serverUsed = (server.child.cpuSeconds() - serverCpu) / minutes
  const sent = relay.seen.items.slice(mark).filter((p) => p.up && p.client === mine)
  await hangup()
  await listener.until('CallDisconnect')
  await Promise.all([stop(), listener.stop()])
  return {
    cpu: used,
    serverCpu: serverUsed,
    packets: sent.length / seconds,
    bytes: sent.reduce((n, p) => n + p.size + IP_UDP, 0) / seconds,
    rtp: sent.filter((p) => p.kind === 'rtp').length / seconds,
  }
}
/** IPv4 and UDP headers. */
const IP_UDP = 28

async function loads(browser, url) {
  const relay = await Relay.start()
  const server = await Server.start({ ringS: 30, args: ['--advertise-udp', relay.address] })
  relay.to(server)
  const r = {}
  for (const [name, play] of [['phone speech', SAID.alice], ['phone silence', silence()]]) {
    let phone
    r[name] = await load(server, relay, {
      start: async () => {
        phone = await ready(server, 'alice', { play, repeat: true })
        await phone.call('startCallUsers', { usernames: ['listener'] })
      },
      talk: async () => {},
      hangup: () => phone.call('hangup'),
      stop: () => phone.stop(),
      pids: () => [phone.child.pid],
    })
  }
  for (const [name, play] of [['wrtc speech', SAID.alice], ['wrtc silence', silence()]]) {
    let wrtc
    r[name] = await load(server, relay, {
      start: async () => {
        wrtc = await Wrtc.start(server, 'alice')
        await wrtc.do('ring', { to: 'listener' })
      },
      talk: () => wrtc.do('say', { play }),
      hangup: () => wrtc.do('hangup'),
      stop: () => wrtc.stop(),
      pids: () => [wrtc.child.pid],
    })
  }
  let page
  r.chromium = await load(server, relay, {
    start: async () => {
      page = await Page.ready({ user: 'alice', server: server.url, url, browser, mint: token })
      await page.call('startCallUsers', { usernames: ['listener'] })
    },
    talk: async () => {},
    hangup: () => page.call('hangup'),
    stop: () => page.stop(),
    pids: () => processes(browser),
  })
  await server.stop()
  relay.stop()
  return r
}

/** Every process of a browser. */
function processes(browser) {
  const mine = readdirSync('/proc').filter((entry) => {
    try {
      return /^[0-9]+$/.test(entry) && readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(browser.profile)
    } catch {
      return false
    }
  }).map(Number)
  return [...new Set(mine.flatMap((pid) => family(pid)))]
}

function size(path) {
  const stripped = join(temporary('size'), 'library')
  const { status } = spawnSync('strip', ['-o', stripped, path])
  const file = status === 0 ? stripped : path
  return { raw: statSync(file).size / 1e6, packed: gzipSync(readFileSync(file), { level: 9 }).length / 1e6 }
}

const begin = Date.now()
const server = await Server.start({ ringS: 30, log: 'warn' })
const browser = await startBrowser({ microphone: SAID.alice })
const url = await apiPage()
const say = (what) => console.error(`${String(Math.round((Date.now() - begin) / 1000)).padStart(4)} s  ${what} …`)
say('calls between phones')
const phones = await phoneCalls(server)
say('calls between libwebrtc endpoints through our server')
const wrtcs = await wrtcCalls(server)
say('libwebrtc to itself')
const loop = await direct()
say('calls of a phone to Chromium')
const chromium = await chromiumCalls(server, browser, url)
say('CPU of setting up')
const cpu = await linkCpu(server)
say('load of a call')
const wire = await loads(browser, url)
/** From one end to the other and back. */
const rtt = median(phones.rtt)
await closeBrowsers()
await server.stop()
const left = killAll()
const library = size(join(dirname(program('jmrtc-phone')), '../library/libjmrtc.so'))
const folder = join(root, 'node_modules/@roamhq')
const binding = size(join(folder, readdirSync(folder).find((f) => f.startsWith('wrtc-linux')) ?? '', 'wrtc.node'))

say('changes of network')
const moves = `${await mobility('phone', CALLS)}\n\n${await mobility('page', 3)}`
/** What a benchmark in Rust prints. */
function bench(pack, name) {
  const { status, stdout } = spawnSync('cargo', ['bench', '--quiet', '-p', pack, '--bench', name], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  return status === 0 ? stdout.trim() : `cargo bench -p ${pack} failed.`
}
say('load of the relay')
const relayed = bench('jmrtc-sfu', 'load')
say('call set-ups')
const setups = bench('jmrtc-server', 'calls')
say('steps of the simulation')
const steps = bench('jmrtc-sim', 'steps')
const text = `${table({ phones, wrtcs, loop, chromium, cpu, wire, library, binding, median, quantile, calls: CALLS, machine: `${cpus().length} x ${cpus()[0].model}`, profile: process.env.JMRTC_PROFILE, rtt })}
${moves}

The relay in one process, without sockets:

${relayed}

Calls set up and ended by WebSocket clients, each with its record in the store:

${setups}

The simulation, on one core:

${steps}
`
console.log(text)
if (left.length > 0) console.error(`processes were left: ${left.join(', ')}`)
console.error(`written to ${join(out, 'bench.md')}, ${Math.round((Date.now() - begin) / 1000)} s`)
writeFileSync(join(out, 'bench.md'), text)
process.exit(0)
