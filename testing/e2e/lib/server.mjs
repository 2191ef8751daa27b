// A real jmrtc-server on free ports.
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import { program, python, temporary } from './paths.mjs'
import { Child } from './process.mjs'
import { until, within } from './wait.mjs'

/** Long enough for two busy cores, short enough to be waited for. */
const RING_S = 6
const GRACE_S = 4

const SECRET = 'end-to-end-tests-only-0123456789abcdef'
export const APP_KEY = 'e2e'

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token as a company's backend would make it; every part can be made wrong. */
export function token(user, { seconds = 3600, secret = SECRET, header = {}, claims = {} } = {}) {
  // A token is good until a second begins: rounded up, one for a second is good for one at least.
  const now = Math.ceil(Date.now() / 1000)
  const head = base64url({ alg: 'HS256', typ: 'JWT', ...header })
  const body = base64url({ iss: APP_KEY, sub: user, nbf: now - 5, exp: now + seconds, ...claims })
  const algorithm = { HS384: 'sha384', HS512: 'sha512' }[header.alg] ?? 'sha256'
  const signature = createHmac(algorithm, secret).update(`${head}.${body}`).digest('base64url')
  return `${head}.${body}.${signature}`
}

/** The token of the company's own backend, for REST. */
export const backendToken = () => token(undefined, { claims: { scope: 'backend' } })

export class Server {
  /** Starts one. `media` are `--advertise-udp …` and the like; `ringS`, `graceS` in seconds. */
  static async start({ ringS = RING_S, graceS = GRACE_S, args = [], env = {}, listen = '127.0.0.1:0', data = temporary('data'), log = process.env.JMRTC_E2E_LOG ?? 'info' } = {}) {
    const server = new Server()
    server.options = { ringS, graceS, args, env, data, log }
    server.child = new Child('jmrtc-server', program('jmrtc-server'), [
      '--dev', '--listen', listen, '--data', data, '--app-key', APP_KEY, '--secret', SECRET,
      ...(args.includes('--media-udp') ? [] : ['--media-udp', '127.0.0.1:0']),
      ...(args.includes('--media-tcp') ? [] : ['--media-tcp', '127.0.0.1:0']),
      '--ring-time', `${Math.round(ringS * 1000)}ms`, '--grace-time', `${Math.round(graceS * 1000)}ms`, ...args,
    ], { env: { JMRTC_LOG: log, ...env } })
    const died = server.child.ended.then(({ code, signal }) => {
      throw new Error(`the server ended at once with ${code ?? signal}:\n${server.child.err.slice(-30).join('\n')}`)
    })
    died.catch(() => {})
    const line = await Promise.race([server.child.out.find((l) => l.startsWith('JMRTC server on '), 'the ready line of the server'), died])
    server.url = line.match(/http:\/\/\S+/)[0].replace(/\/$/, '')
    server.port = Number(new URL(server.url).port)
    // Next line: the media addresses.
    server.media = await server.child.out.find((l) => /udp/i.test(l), 'the line with the media ports')
    return server
  }

  /** `127.0.0.1:port` that media goes to over UDP. */
  get udp() {
    return this.media.match(/udp\D*?((?:\d+\.){3}\d+:\d+)/i)[1]
  }

  /** The same over TCP. */
  get tcp() {
    return this.media.match(/tcp\D*?((?:\d+\.){3}\d+:\d+)/i)[1]
  }

  /** One that takes this one's place: the same address and data. */
  async again() {
    return Server.start({ ...this.options, listen: `127.0.0.1:${this.port}` })
  }

  kill() {
    this.child.kill('SIGKILL')
    return this.child.ended
  }

  /** Ctrl-C. */
  stop() {
    return this.child.stop('SIGINT')
  }

  token(user, options) {
    return token(user, options)
  }

  async get(path, user) {
    const headers = user ? { authorization: `Bearer ${token(user)}` } : {}
    const response = await within(fetch(this.url + path, { headers }), `GET ${path}`)
    return { status: response.status, text: await response.text() }
  }

  /** Asks REST with a token. */
  async rest(method, path, auth, body) {
    const headers = { authorization: `Bearer ${auth}`, 'content-type': 'application/json' }
    const response = await within(fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) }), `${method} ${path}`)
    const text = await response.text()
    return { status: response.status, body: text && JSON.parse(text) }
  }

  /** From now on the store takes no changes: another program holds its database, as one does that copies it. Until `free`. */
  async lockStore() {
    const hold = 'import sqlite3, sys\nstore = sqlite3.connect(sys.argv[1], isolation_level=None)\nstore.execute("BEGIN IMMEDIATE")\nprint("held", flush=True)\nsys.stdin.read()'
    this.lock = new Child('store lock', python(), ['-c', hold, join(this.options.data, 'jmrtc.sqlite')])
    await this.lock.out.find((line) => line === 'held', 'the lock of the store')
  }

  async freeStore() {
    this.lock.process.stdin.end()
    await this.lock.ended
    this.lock = undefined
  }

  /** The metrics as `{name or name{labels}: number}`. */
  async metrics() {
    const { text } = await this.get('/metrics')
    return Object.fromEntries(text.split('\n').filter((l) => l && !l.startsWith('#')).map((l) => {
      const at = l.lastIndexOf(' ')
      return [l.slice(0, at), Number(l.slice(at + 1))]
    }))
  }

  /** Fails unless no call, link or connection is left in the server; waits for what is just ending. */
  async expectEmpty() {
    let left
    await until(async () => {
      const metrics = await this.metrics()
      left = Object.entries(metrics).filter(([name, value]) => GAUGES.test(name) && value !== 0)
      const known = Object.keys(metrics).filter((name) => GAUGES.test(name))
      if (known.length < 3) throw new Error(`the metrics lack calls, links or connections: ${Object.keys(metrics).join(' ')}`)
      return left.length === 0
    }, () => `an empty server; left: ${JSON.stringify(left)}`, 20_000)
  }
}

/** What counts something that is there now. */
const GAUGES = /^jmrtc_(calls|links|connections)(_active|_open)?(\{|$)/
