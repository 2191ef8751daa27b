// A TCP proxy before the server's WebSocket: the network of one endpoint, which a test can cut.
import { createServer, connect } from 'node:net'
import { once } from 'node:events'

export class Proxy {
  #sockets = new Set()
  #cut = false
  #held = false
  /** One for each thing that is held: lets it go. */
  #kept = []
  #lag = 0

  /** `to`: port of the server at `host`. */
  static async start(to, host = '127.0.0.1') {
    const proxy = new Proxy()
    proxy.to = to
    proxy.host = host
    proxy.server = createServer((client) => proxy.#join(client))
    proxy.server.listen(0, host)
    await once(proxy.server, 'listening')
    proxy.port = proxy.server.address().port
    proxy.url = `http://${host}:${proxy.port}`
    return proxy
  }

  #join(client) {
    if (this.#cut) return client.resetAndDestroy()
    const server = connect(this.to, this.host)
    for (const [from, into] of [[client, server], [server, client]]) {
      from.setNoDelay(true)
      this.#sockets.add(from)
      const waiting = []
      // As often called as there are things that wait: whoever calls lets the first one go.
      const next = () => {
        const what = waiting.shift()
        if (!from.frozen && !into.frozen) what()
      }
      const pass = (what) => {
        const held = this.#held && from === client
        if (!held && this.#lag === 0 && waiting.length === 0) return what()
        waiting.push(what)
        if (held) this.#kept.push(next)
        else setTimeout(next, this.#lag)
      }
      // It is closed then, after what it had sent.
      from.on('error', () => {})
      from.on('data', (data) => pass(() => into.write(data)))
      from.on('end', () => pass(() => into.end()))
      from.on('close', () => {
        this.#sockets.delete(from)
        pass(() => into.destroy())
      })
    }
  }

  /** Whatever comes in goes out so many milliseconds later, either way. */
  slow(ms) {
    this.#lag = ms
  }

  /** What the endpoint sends waits here until `release`, also when it is gone by then; what the server sends still comes through. */
  hold() {
    this.#held = true
  }

  release() {
    this.#held = false
    for (const next of this.#kept.splice(0)) next()
  }

  /** All connections break and new ones are refused. */
  cut() {
    this.#cut = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Connections stay open but nothing comes through any more, as when a phone leaves the Wi-Fi. */
  freeze() {
    for (const socket of this.#sockets) {
      socket.frozen = true
      socket.pause()
    }
  }

  restore() {
    this.#cut = false
  }

  stop() {
    this.cut()
    this.server.close()
  }
}
