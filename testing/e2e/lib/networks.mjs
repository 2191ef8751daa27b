// Two networks that a phone can be in, as Wi-Fi and cellular: a network namespace of its own with two ways to the server.
import { spawnSync } from 'node:child_process'

/** Where the server is, from either network. */
export const SERVER_HOST = '10.77.0.1'
/** How a server is started there. */
export const SERVER = { listen: `${SERVER_HOST}:0`, args: ['--dev-public', '--media-udp', `${SERVER_HOST}:0`, '--media-tcp', `${SERVER_HOST}:0`] }
const WAYS = [{ name: 'wifi', net: '10.77.1' }, { name: 'cell', net: '10.77.2' }]

/** Its end outside of the namespace; Linux takes 15 characters. */
const outside = (name, pid) => `${name}${pid}`.slice(0, 15)

const namespace = (pid) => `jmrtc-${pid}`

/** Those of whom died before it could remove them. */
function clear() {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  for (const [, pid] of (stdout ?? '').matchAll(/^jmrtc-(\d+)/gm)) {
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
  spawnSync('ip', ['address', 'delete', `${SERVER_HOST}/32`, 'dev', 'lo'])
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
      ip('address', 'add', `${SERVER_HOST}/32`, 'dev', 'lo')
      for (const { name, net } of WAYS) {
        const outer = outside(name, process.pid)
        ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', name, 'netns', networks.netns)
        ip('address', 'add', `${net}.1/24`, 'dev', outer)
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

  /** The way is there; the Wi-Fi is preferred where it is. */
  up(name) {
    const index = WAYS.findIndex((way) => way.name === name)
    const { net } = WAYS[index]
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
