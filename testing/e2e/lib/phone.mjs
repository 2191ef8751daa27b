// A real jmrtc-phone. With `control` it does what it is told on its standard input, one method a line;
// else it does what its command line says.
import { join } from 'node:path'
import { program, temporary } from './paths.mjs'
import { Child } from './process.mjs'
import { Diary, QUIET } from './story.mjs'
import { Log, within } from './wait.mjs'

let count = 0

export class Phone extends Diary {
  /**
   * Starts one. `url` of the server, `user`, and either `verb` with its arguments (`['call', 'bob']`) or none for control by `call`.
   * `play`: WAV to speak, `repeat` it; `record`: true to record what is heard; `netns`: the network namespace that it lives in.
   */
  static start({ url, user, verb = ['run'], play, repeat = false, record = false, args = [], device, token, netns }) {
    const phone = new Phone()
    phone.options = { url, user, verb, play, repeat, record, args, device, token }
    phone.user = user
    phone.recording = record ? join(temporary('phone'), `${user}-${++count}.wav`) : undefined
    const [file, ...before] = [...(netns ? ['ip', 'netns', 'exec', netns] : []), program('jmrtc-phone')]
    phone.child = new Child(`phone ${user}`, file, [
      ...before,
      '--server', url, ...(token ? ['--token', token] : ['--user', user]), '--json', '--audio', 'null',
      ...(device ? ['--device-id', device] : []),
      ...(play ? ['--play', play] : []), ...(repeat ? ['--repeat'] : []),
      ...(phone.recording ? ['--record', phone.recording] : []),
      ...args, ...verb,
    ], { env: { RUST_LOG: process.env.JMRTC_E2E_LOG ?? 'info' } })
    phone.child.out.push = ((push) => (line) => {
      push.call(phone.child.out, line)
      phone.#heard(line)
    })(phone.child.out.push)
    phone.ended = phone.child.ended
    return phone
  }

  /** Starts one under control, signed in and with its engine ready: as far as an app is when it waits for calls. */
  static async ready(options) {
    const phone = Phone.start({ ...options, verb: ['run'] })
    await phone.log.find(({ line }) => line === 'initEngine ok', `phone ${options.user} to be ready`)
    phone.forget('login', 'initEngine')
    return phone
  }

  /** Waits until a phone that answers calls can be called. */
  async online() {
    await this.other.find(({ event, text }) => event === 'note' && text === 'waiting for calls', `phone ${this.user} to wait for calls`)
  }

  #heard(line) {
    let message
    try {
      message = JSON.parse(line)
    } catch {
      throw new Error(`phone ${this.user} printed what is no JSON: ${line}`)
    }
    const { event, payload, method, id, result, error } = message
    if (event === 'reply') {
      if (!QUIET.has(method)) this.reply(method, error ? { error } : { result })
      this.#pending.get(id)?.({ result, error })
      this.#pending.delete(id)
    } else if (event === 'stats') {
      this.stats = message
      this.statsLog.push(this.stats)
    } else if (event === 'exit') {
      this.exit = message
    } else if (event.startsWith('Call')) {
      this.event(event, payload)
    } else {
      this.other.push(message)
    }
  }

  #pending = new Map()
  #next = 0
  statsLog = []
  /** What it prints besides: notes. */
  other = new Log()

  /** Calls a method of the API; resolves with its result, rejects with its failure. */
  async call(method, args = null) {
    const id = ++this.#next
    const answer = new Promise((resolve) => this.#pending.set(id, resolve))
    this.child.process.stdin.write(`${JSON.stringify({ id, method, args })}\n`)
    const dead = this.child.ended.then(() => ({ error: { code: 0, name: 'DEAD', description: this.child.err.slice(-20).join('\n') } }))
    const { result, error } = await within(Promise.race([answer, dead]), () => `${this.user}: an answer to ${method}`)
    if (error) throw Object.assign(new Error(`${method}: ${error.name} ${error.description}`), error)
    return result
  }

  /** The operating system tells it something. */
  system(event) {
    this.child.process.stdin.write(`${JSON.stringify({ event })}\n`)
  }

  /** Dies at once, as when the system kills an app. */
  async kill() {
    this.child.kill('SIGKILL')
    await this.child.ended
  }

  /** Ends politely; resolves with the exit code. */
  async stop() {
    const { code } = await this.child.stop('SIGINT')
    return code
  }
}
