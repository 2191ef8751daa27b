// libwebrtc (@roamhq/wrtc) as an endpoint in a process of its own, for `run.mjs`: reads commands, one JSON a line,
// and answers each with one JSON line. Times are Unix milliseconds.
import { createInterface } from 'node:readline'
import { readWav, writeWav } from '../e2e/lib/wav.mjs'
import { Listener, WrtcClient, connectDirectly } from '../e2e/lib/wrtc.mjs'
import { token } from '../e2e/lib/server.mjs'

const now = () => performance.timeOrigin + performance.now()
/** A block of sound is heard before it is handed over. */
const BLOCK_MS = 10

let client
let began

const middle = (values) => values.sort((x, y) => x - y)[values.length >> 1]

/** Follows what a speaker says and a listener hears, in time. */
function follow(speaker, listeners) {
  /** When the first sample was said, by each block; when the first sound was heard. */
  began = { play: [], sound: undefined }
  for (const listener of listeners) {
    listener.began = []
    let samples = listener.samples.length
    listener.ondata = (chunk) => {
      const at = now()
      // A block is played from when it is handed over.
      listener.began.push(at - samples / 48)
      samples += chunk.length
      if (began.sound === undefined && chunk.some((s) => Math.abs(s) > 0.01)) began.sound = at
    }
  }
  let said = 0
  speaker.onframe = (samples) => {
    if (said === 0 && !samples.some((s) => s !== 0)) return
    began.play.push(now() - BLOCK_MS - said / 48)
    said += samples.length
  }
}

/** What `follow` found of the loudest listener, whose recording goes to `path`: when saying and recording began. */
function found(listeners, path) {
  const energy = ({ samples }) => samples.reduce((n, s) => n + s * s, 0)
  const loudest = [...listeners].sort((x, y) => energy(y) - energy(x))[0]
  writeWav(path, loudest.samples)
  return { play: middle(began.play), record: middle(loudest.began), sound: began.sound }
}

const commands = {
  async signIn({ url, user }) {
    client = await WrtcClient.signIn({ url, token }, user)
    return {}
  },
  /** Calls and prepares the link. */
  async ring({ to }) {
    const { reply } = await client.ws.request({ method: 'start', usernames: [to] })
    client.channelId = reply.session.channelId
    await client.link(client.channelId)
    return { linkMs: client.linkMs }
  },
  /** Waits for the other to accept, and speaks. */
  async joined({ play }) {
    follow(client.speaker, client.listeners)
    await client.ws.event('joined')
    if (play) client.say(play)
    return {}
  },
  /** Waits for a call and prepares the link. */
  async rung() {
    const { session } = await client.ws.event('invited')
    client.channelId = session.channelId
    await client.link(client.channelId)
    follow(client.speaker, client.listeners)
    return { linkMs: client.linkMs }
  },
  async accept({ play }) {
    const at = now()
    await client.ws.request({ method: 'accept', channelId: client.channelId })
    if (play) client.say(play)
    return { at }
  },
  say({ play }) {
    client.say(play)
    return {}
  },
  heard({ path }) {
    return found(client.listeners, path)
  },
  async hangup() {
    await client.hangup()
    return {}
  },
  /** Ends the link and forgets the events, so that the next call starts clean. */
  clear() {
    client.speaker.stop()
    client.listeners.forEach((l) => l.stop())
    client.pc.close()
    client.ws.received.items.length = 0
    return {}
  },
  /** Two connections in this process, nothing of ours between them: what libwebrtc itself takes. */
  async direct({ play, path, ms }) {
    const { speaker, track, close } = await connectDirectly()
    const listener = new Listener(track)
    follow(speaker, [listener])
    speaker.say(readWav(play).samples)
    await new Promise((resolve) => setTimeout(resolve, ms))
    const result = found([listener], path)
    listener.stop()
    close()
    return result
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { method, ...args } = JSON.parse(line)
  let answer
  try {
    answer = await commands[method](args)
  } catch (error) {
    answer = { error: String(error.stack) }
  }
  console.log(JSON.stringify(answer))
}
process.exit(0)
