import { why } from '../failure.js'
import type { SocketAction, SocketEvent } from '../generated/machine.js'

/** What the socket tells the machine. */
export interface SocketSink {
  /** It opened or closed. */
  event(generation: number, event: SocketEvent): void
  /** A text frame came. */
  text(generation: number, text: string): void
}

/** The signalling socket: at most one, a new one replaces it. */
export class Socket {
  #socket: WebSocket | undefined
  #generation = 0

  constructor(private readonly sink: SocketSink) {}

  do(action: SocketAction): void {
    switch (action.action) {
      case 'open':
        this.#close()
        this.#generation = action.generation
        this.#open(action.generation, action.url)
        break
      case 'send':
        if (action.generation === this.#generation && this.#socket?.readyState === WebSocket.OPEN) {
          this.#socket.send(JSON.stringify(action.message))
        }
        break
      case 'close':
        if (action.generation === this.#generation) this.#close()
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
    this.#socket = socket
    socket.onopen = () => this.sink.event(generation, { event: 'opened' })
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.sink.text(generation, data)
    }
    socket.onclose = ({ code, reason }) => {
      this.sink.event(generation, { event: 'closed', why: reason || `the socket closed with code ${code}` })
    }
  }

  /** No event comes of a socket that was closed by us. */
  #close(): void {
    if (this.#socket === undefined) return
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null
    this.#socket.close()
    this.#socket = undefined
  }
}
