import { why } from '../failure.js'
import type { SocketAction, SocketEvent } from '../generated/machine.js'

/** What the sockets tell the machine. */
export interface SocketSink {
  /** One opened or closed. */
  event(generation: number, event: SocketEvent): void
  /** A text frame came. */
  text(generation: number, text: string): void
}

/** The signalling sockets: one, and for a moment a second one beside it. */
export class Sockets {
  readonly #sockets = new Map<number, WebSocket>()

  constructor(private readonly sink: SocketSink) {}

  do(action: SocketAction): void {
    switch (action.action) {
      case 'open':
        this.#open(action.generation, action.url)
        break
      case 'send': {
        const socket = this.#sockets.get(action.generation)
        if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(action.message))
        break
      }
      case 'close':
        this.#close(action.generation)
        break
    }
  }

  #open(generation: number, url: string): void {
    let socket: WebSocket
    try {
      socket = new WebSocket(url)
    } catch (thrown) {
      this.sink.event(generation, { event: 'closed', why: why(thrown) })
      return
    }
    this.#sockets.set(generation, socket)
    socket.onopen = () => this.sink.event(generation, { event: 'opened' })
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.sink.text(generation, data)
    }
    socket.onclose = ({ code, reason }) => {
      this.#sockets.delete(generation)
      this.sink.event(generation, { event: 'closed', why: reason || `the socket closed with code ${code}` })
    }
  }

  /** No event comes of a socket that was closed by us. */
  #close(generation: number): void {
    const socket = this.#sockets.get(generation)
    if (socket === undefined) return
    this.#sockets.delete(generation)
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }
}
