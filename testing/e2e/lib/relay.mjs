// A relay that the server advertises in its place, over UDP and TCP: sees every packet of every client in both directions
// and can eat or delay them. What it sees is encrypted, but the RTP header and its extensions are in the clear.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Log } from './wait.mjs'

/** stun, dtls, rtp, rtcp or other, by RFC 7983 and RFC 5761. */
export function kind(packet) {
  if (packet.length < 2) return 'other'
  const first = packet[0]
  if (first < 4) return 'stun'
  if (first >= 20 && first < 64) return 'dtls'
  if (first >= 128 && first < 192) return packet[1] >= 192 && packet[1] <= 223 ? 'rtcp' : 'rtp'
  return 'other'
}

/** What the clear part of an RTP packet says, as far as it goes; of one that ends within its header, nothing. */
export function rtpHeader(packet) {
  if (packet.length < 12) return { extensions: {}, payload: 0 }
  const csrcs = packet[0] & 15
  const header = {
    type: packet[1] & 127,
    marker: packet[1] > 127,
    sequence: packet.readUInt16BE(2),
    timestamp: packet.readUInt32BE(4),
    ssrc: packet.readUInt32BE(8),
    extensions: {},
    payload: Math.max(0, packet.length - 12 - 4 * csrcs),
  }
  let at = 12 + 4 * csrcs
  if (packet[0] & 16 && packet.length >= at + 4) {
    const profile = packet.readUInt16BE(at)
    const end = Math.min(packet.length, at + 4 + 4 * packet.readUInt16BE(at + 2))
    at += 4
    header.payload = packet.length - end
    while (profile === 0xbede && at < end) {
      if (packet[at] === 0) {
        at++
        continue
      }
      const id = packet[at] >> 4
      const length = (packet[at] & 15) + 1
      header.extensions[id] = packet.subarray(at + 1, at + 1 + length)
      at += 1 + length
    }
  }
  return header
}

/** Whom a STUN request is for and from: the USERNAME, the same over UDP and TCP for all of one link. Undefined where it names none. */
export function stunUser(packet) {
  for (let at = 20; at + 4 <= packet.length;) {
    const length = packet.readUInt16BE(at + 2)
    if (packet.readUInt16BE(at) === 0x0006) return packet.toString('utf8', at + 4, at + 4 + length)
    at += 4 + length + (-length & 3)
  }
  return undefined
}

function end(address) {
  const [host, port] = address.split(':')
  return { host, port: Number(port) }
}

export class Relay {
  /**
   * Every packet: `{at, client, link, up, kind, size, …rtpHeader}`; `client` is an address, of which one may have several, as over UDP
   * and TCP; `link` is the same from all of them; `up` is towards the server.
   */
  seen = new Log()
  /** Returns true for a packet to be eaten. */
  drop = () => false
  /** Returns for how many milliseconds a packet is held back. */
  delay = () => 0
  #clients = new Map()
  /** Of an address. */
  #links = new Map()
  #streams = new Set()
  #stopped = false

  static async start(host = '127.0.0.1') {
    const relay = new Relay()
    relay.host = host
    relay.socket = createSocket('udp4')
    relay.socket.bind(0, host)
    await once(relay.socket, 'listening')
    relay.address = `${host}:${relay.socket.address().port}`
    relay.socket.on('message', (packet, from) => relay.#up(packet, from))
    relay.tcp = createServer((client) => relay.#join(client))
    relay.tcp.listen(0, host)
    await once(relay.tcp, 'listening')
    return relay
  }

  /** For the server that is to advertise it. Over UDP alone, a client whose UDP is slow for a moment goes around it. */
  get advertised() {
    return ['--advertise-udp', this.address, '--advertise-tcp', `${this.host}:${this.tcp.address().port}`]
  }

  #join(client) {
    const server = connect(this.tcpServer)
    const name = `tcp ${client.remoteAddress}:${client.remotePort}`
    for (const [from, into, up] of [[client, server, true], [server, client, false]]) {
      from.setNoDelay(true)
      this.#streams.add(from)
      let rest = Buffer.alloc(0)
      from.on('data', (data) => {
        // RFC 4571: each packet with its length before it.
        rest = Buffer.concat([rest, data])
        while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
          const frame = rest.subarray(0, 2 + rest.readUInt16BE(0))
          rest = rest.subarray(frame.length)
          this.#pass(this.#note(frame.subarray(2), name, up), () => into.write(frame))
        }
      })
      from.on('error', () => into.destroy())
      from.on('close', () => {
        this.#streams.delete(from)
        into.destroy()
      })
    }
  }

  /** The server's media addresses, `host:port` each. */
  to({ udp, tcp }) {
    this.server = end(udp)
    this.tcpServer = tcp && end(tcp)
  }

  #note(packet, client, up) {
    const what = kind(packet)
    const user = up && what === 'stun' ? stunUser(packet) : undefined
    if (user) this.#links.set(client, user)
    const entry = { at: Date.now(), client, link: this.#links.get(client), up, kind: what, size: packet.length, ...(what === 'rtp' ? rtpHeader(packet) : {}) }
    if (this.drop(entry)) entry.dropped = true
    this.seen.push(entry)
    return entry
  }

  #pass(entry, send) {
    if (entry.dropped) return
    const wait = this.delay(entry)
    if (wait > 0) setTimeout(() => { if (!this.#stopped) send() }, wait)
    else send()
  }

  #up(packet, from) {
    const client = `${from.address}:${from.port}`
    let out = this.#clients.get(client)
    if (!out) {
      // A socket of its own for each client, so that the server tells them apart.
      out = createSocket('udp4')
      out.bind(0, this.host)
      out.on('message', (back) => this.#pass(this.#note(back, client, false), () => this.socket.send(back, from.port, from.address)))
      out.on('error', () => {})
      this.#clients.set(client, out)
    }
    this.#pass(this.#note(packet, client, true), () => {
      if (this.#clients.get(client) === out) out.send(packet, this.server.port, this.server.host)
    })
  }

  /** All clients come from new addresses from now on, as when a NAT forgets them; what is sent to the old ones is lost. */
  rebind() {
    for (const out of this.#clients.values()) out.close()
    this.#clients.clear()
  }

  /** Packets of `what` (kind) since `from` (an index into `seen.items`), both ways or `up` true/false. */
  packets(what, { from = 0, to = Infinity, up, link } = {}) {
    return this.seen.items.slice(from, to === Infinity ? undefined : to)
      .filter((p) => p.kind === what && (up === undefined || p.up === up) && (link === undefined || p.link === link))
  }

  /** Where the list stands: for `from` and `to`. */
  get mark() {
    return this.seen.items.length
  }

  stop() {
    this.#stopped = true
    this.socket.close()
    this.tcp.close()
    for (const stream of this.#streams) stream.destroy()
    for (const out of this.#clients.values()) out.close()
  }
}
