// A TCP proxy before the server's WebSocket: the network of one endpoint, which a test can cut.
import { createServer, connect } from 'node:net'
import { once } from 'node:events'

export class Proxy {
  #sockets = new Set()
  #cut = false
  #held = false
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
    client.towardsServer = true
    for (const [from, into] of [[client, server], [server, client]]) {
      from.setNoDelay(true)
      this.#sockets.add(from)
      const waiting = []
      const pass = (what) => {
        if (this.#lag === 0 && waiting.length === 0) return what()
        waiting.push(what)
        // As many timers as things that wait: whichever fires lets the first one go.
        setTimeout(() => waiting.shift()(), this.#lag)
      }
      from.on('error', () => into.destroy())
      from.on('data', (data) => pass(() => into.write(data)))
      from.on('end', () => pass(() => into.end()))
      from.on('close', () => {
        this.#sockets.delete(from)
        pass(() => into.destroy())
      })
      if (this.#held && from === client) from.pause()
    }
  }

  /** Whatever comes in goes out so many milliseconds later, either way. */
  slow(ms) {
    this.#lag = ms
  }

  /** What the endpoint sends waits here until `release`; what the server sends still comes through. */
  hold() {
    this.#held = true
    for (const socket of this.#sockets) {
      if (socket.towardsServer) socket.pause()
    }
  }

  release() {
    this.#held = false
    for (const socket of this.#sockets) if (socket.towardsServer && !socket.frozen) socket.resume()
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
