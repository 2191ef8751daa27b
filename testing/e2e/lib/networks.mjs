// Two networks that a phone can be in, as Wi-Fi and cellular: a network namespace of its own with two ways to the server.
import { spawnSync } from 'node:child_process'

/** Addresses are by the place `n` that each process has for itself. */
const serverHost = (n) => `10.76.${n}.1`
const WAYS = [{ name: 'wifi', net: (n) => `10.78.${n}` }, { name: 'cell', net: (n) => `10.79.${n}` }]
const PLACES = 256

/** Under this the server's address stands at the loopback, so that it is known whose it is. */
const label = (pid) => `lo:${pid}`

/** Its end outside of the namespace; Linux takes 15 characters. */
const outside = (name, pid) => `${name}${pid}`.slice(0, 15)

const namespace = (pid) => `jmrtc-${pid}`

/** Those of whom died before it could remove them. */
function clear() {
  const list = (...args) => spawnSync('ip', args, { encoding: 'utf8' }).stdout ?? ''
  const namespaces = list('netns', 'list').matchAll(/^jmrtc-(\d+)/gm)
  const addresses = list('-4', 'address', 'show', 'dev', 'lo').matchAll(/inet 10\.76\..* lo:(\d+)$/gm)
  for (const pid of new Set([...namespaces, ...addresses].map(([, pid]) => pid))) {
    try {
      process.kill(Number(pid), 0)
    } catch {
      remove(pid)
    }
  }
}

function remove(pid) {
  // With its other end; the namespace's own end of it comes later than one would wait for.
  for (const { name } of WAYS) spawnSync('ip', ['link', 'delete', outside(name, pid)])
  spawnSync('ip', ['netns', 'delete', namespace(pid)])
  spawnSync('ip', ['address', 'flush', 'dev', 'lo', 'label', label(pid)])
}

/** Takes the first place that nobody has; two at once get two. */
function place() {
  for (let n = 0; ; n++) {
    try {
      ip('address', 'add', `${serverHost(n)}/32`, 'dev', 'lo', 'label', label(process.pid))
      return n
    } catch (error) {
      if (n + 1 === PLACES || !/already assigned|File exists/.test(error.message)) throw error
    }
  }
}

function ip(...args) {
  const { status, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}

export class Networks {
  /** Makes them; what can't be made (not root, no iproute2) is an error that says why. */
  static make() {
    clear()
    const networks = new Networks()
    networks.netns = namespace(process.pid)
    try {
      ip('netns', 'add', networks.netns)
      networks.place = place()
      for (const { name, net } of WAYS) {
        const outer = outside(name, process.pid)
        ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', name, 'netns', networks.netns)
        ip('address', 'add', `${net(networks.place)}.1/24`, 'dev', outer)
        ip('link', 'set', outer, 'up')
      }
      ip('-n', networks.netns, 'link', 'set', 'lo', 'up')
      for (const { name } of WAYS) networks.up(name)
    } catch (error) {
      networks.remove()
      throw error
    }
    return networks
  }

  /** Where the server is, from either network. */
  get host() {
    return serverHost(this.place)
  }

  /** How a server is started there. */
  get server() {
    return { listen: `${this.host}:0`, args: ['--dev-public', '--media-udp', `${this.host}:0`, '--media-tcp', `${this.host}:0`] }
  }

  /** The way is there; the Wi-Fi is preferred where it is. */
  up(name) {
    const index = WAYS.findIndex((way) => way.name === name)
    const net = WAYS[index].net(this.place)
    ip('-n', this.netns, 'address', 'replace', `${net}.2/24`, 'dev', name)
    ip('-n', this.netns, 'link', 'set', name, 'up')
    ip('-n', this.netns, 'route', 'replace', 'default', 'via', `${net}.1`, 'dev', name, 'metric', String(index + 1))
  }

  /** The way is gone, and with it the address: nobody can send from it over the other. */
  down(name) {
    ip('-n', this.netns, 'address', 'flush', 'dev', name)
    ip('-n', this.netns, 'link', 'set', name, 'down')
  }

  remove() {
    remove(process.pid)
  }
}
