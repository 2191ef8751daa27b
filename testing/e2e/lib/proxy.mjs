// A TCP proxy before the server's WebSocket: the network of one endpoint, which a test can cut.
import { createServer, connect } from 'node:net'
import { once } from 'node:events'

export class Proxy {
  #sockets = new Set()
  #cut = false
  #held = false

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
      from.on('error', () => into.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        into.destroy()
      })
      if (this.#held && from === client) from.pause()
      else from.pipe(into)
      from.into = into
    }
  }

  /** What the endpoint sends waits here until `release`; what the server sends still comes through. */
  hold() {
    this.#held = true
    for (const socket of this.#sockets) {
      if (!socket.towardsServer) continue
      socket.unpipe()
      socket.pause()
    }
  }

  release() {
    this.#held = false
    for (const socket of this.#sockets) if (socket.towardsServer) socket.pipe(socket.into)
  }

  /** All connections break and new ones are refused. */
  cut() {
    this.#cut = true
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Connections stay open but nothing comes through any more, as when a phone leaves the Wi-Fi. */
  freeze() {
    for (const socket of this.#sockets) {
      socket.unpipe()
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
