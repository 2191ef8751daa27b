// The protocol spoken by hand: for messages that no client of ours would send, and for a client that is not ours.
import { WebSocket } from 'ws'
import { Log, within } from './wait.mjs'

export const PROTOCOL = 1

export class WsClient {
  /** Every message of the server, parsed. */
  received = new Log()
  #next = 0
  /** Which stay in each call it is, as the server has told last. */
  #stays = new Map()

  /** Connects; does not say hello. */
  static async connect(url, options = {}) {
    const client = new WsClient()
    client.socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/ws`, { maxPayload: 1 << 20, ...options })
    client.socket.on('message', (data, binary) => client.#told(binary ? { type: 'binary' } : JSON.parse(data.toString())))
    client.closed = new Promise((resolve) => client.socket.on('close', (code) => resolve(code)))
    client.socket.on('error', () => {})
    await within(new Promise((resolve, reject) => {
      client.socket.once('open', resolve)
      client.socket.once('error', reject)
    }), 'the WebSocket to open')
    return client
  }

  /** Connects and signs in; `welcome` holds the answer. */
  static async signIn(server, user, options = {}) {
    const client = await WsClient.connect(server.url)
    client.user = user
    client.welcome = await client.hello(server.token(user), options)
    if (client.welcome.type !== 'welcome') throw new Error(`no welcome for ${user}: ${JSON.stringify(client.welcome)}`)
    return client
  }

  /** Says hello and returns the first message that comes back. */
  async hello(token, { device = `${this.user ?? 'raw'}-device`, platform = 'other', resume, protocol = PROTOCOL } = {}) {
    const from = this.received.items.length
    this.send({ type: 'hello', protocol, token, device: { id: device, platform }, ...(resume ? { resume } : {}) })
    return this.received.find(() => true, 'an answer to hello', { from })
  }

  send(message) {
    this.socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message))
  }

  #told(message) {
    const { session, stay } = message.event ?? message.reply ?? { session: message.call, stay: message.stay }
    if (session && stay !== undefined) this.#stays.set(session.channelId, stay)
    this.received.push(message)
  }

  /** Sends a request; returns its `reply` or `failure` message. What is asked about a call is about the last stay, unless it says which. */
  async request(request, id = ++this.#next) {
    const from = this.received.items.length
    const { method, channelId } = request
    if (['accept', 'refuse', 'leave', 'link'].includes(method)) request = { stay: this.#stays.get(channelId) ?? 1, ...request }
    this.send({ type: 'request', id, request })
    return this.received.find((m) => ['reply', 'failure'].includes(m.type) && m.id === id, `the answer to ${JSON.stringify(request).slice(0, 200)}`, { from })
  }

  /** Sends anything; returns the `fault` or `failure` that comes back. */
  async wrong(message) {
    const from = this.received.items.length
    this.send(message)
    return this.received.find((m) => ['fault', 'failure'].includes(m.type), `a fault after ${String(message).slice(0, 100)}`, { from })
  }

  /** The first event of this type; `from` is an index into `received.items`. */
  async event(type, from = 0) {
    const found = await this.received.find((m) => m.type === 'event' && m.event.type === type, `${this.user ?? 'raw'}: event ${type}`, { from })
    return found.event
  }

  /** Comes back when the server has handled all that was sent before. */
  async settled() {
    const from = this.received.items.length
    this.send({ type: 'ping', ack: 0 })
    await this.received.find((m) => m.type === 'pong', 'a pong', { from })
  }

  close() {
    this.socket.close()
    return within(this.closed, 'the WebSocket to close')
  }
}
