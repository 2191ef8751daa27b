// Stands between one client and the server's WebSocket and says to the client what the server has not said.
import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'

/** So far beyond the last request that none gets the number by chance. */
const UNASKED = 1_000

export class Forger {
  /** Events that we have put in: later ones of the server are numbered behind them. */
  #forged = 0
  /** The number of the last event that the client got, and of its last request. */
  #seq = 0
  #request = 0

  /** `to`: port of the server. */
  static async start(to) {
    const forger = new Forger()
    forger.server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(forger.server, 'listening')
    forger.url = `http://127.0.0.1:${forger.server.address().port}`
    forger.server.on('connection', (client, { url }) => forger.#join(client, new WebSocket(`ws://127.0.0.1:${to}${url}`)))
    return forger
  }

  #join(client, server) {
    this.client = client
    const waiting = []
    server.on('open', () => {
      for (const text of waiting.splice(0)) server.send(text)
    })
    client.on('message', (data) => {
      const text = JSON.stringify(this.#up(JSON.parse(data)))
      if (server.readyState === WebSocket.OPEN) server.send(text)
      else waiting.push(text)
    })
    server.on('message', (data) => client.send(JSON.stringify(this.#down(JSON.parse(data)))))
    for (const [one, other] of [[client, server], [server, client]]) {
      one.on('error', () => {})
      one.on('close', () => other.close())
    }
  }

  #up(message) {
    if (message.type === 'request') this.#request = message.id
    if (message.type === 'ping') return { ...message, ack: Math.max(0, message.ack - this.#forged) }
    return message
  }

  #down(message) {
    if (message.type !== 'event') return message
    this.#seq = message.seq + this.#forged
    return { ...message, seq: this.#seq }
  }

  /** Says this to the client; an event gets the next number, an answer that of a request that will not be. */
  say(message) {
    const numbered = { event: () => ({ seq: (this.#forged++, ++this.#seq) }), reply: () => ({ id: this.#request + UNASKED }), failure: () => ({ id: this.#request + UNASKED }) }
    this.client.send(JSON.stringify({ ...message, ...numbered[message.type]?.() }))
  }

  stop() {
    this.server.close()
    for (const client of this.server.clients) client.terminate()
  }
}
