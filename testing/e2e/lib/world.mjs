// A server and endpoints before it, for a test file; all of it is gone at the end, and the end is checked.
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { Page, closeBrowsers } from './browser.mjs'
import { killAll } from './process.mjs'
import { Phone } from './phone.mjs'
import { Proxy } from './proxy.mjs'
import { Server, token } from './server.mjs'

/** Ends all that a test file started; fails if the server still holds something. `current` tells the server that runs then. */
export function cleanUp(current) {
  after(async () => {
    await closeBrowsers()
    const server = current()
    const problems = []
    try {
      if (server) {
        await server.expectEmpty()
        const { code } = await server.stop()
        if (code !== 0) problems.push(`the server ended with ${code} after Ctrl-C`)
      }
    } catch (error) {
      problems.push(error.message)
    }
    const left = killAll()
    if (left.length > 0) problems.push(`processes were left: ${left.join(', ')}`)
    assert.deepEqual(problems, [])
  })
}

/** Makes endpoints. `pages` is needed for kind `page`: `{browsers: {user: browser}, url}`. */
export class World {
  static async start(options = {}) {
    const world = new World()
    world.server = await Server.start(options)
    return world
  }

  /** A signed-in endpoint of `kind` (`phone` or `page`) with its own way to the server. */
  async endpoint(kind, user, options = {}) {
    const network = await this.network()
    const common = { user, mint: token, device: `${user}-device`, ...options }
    const endpoint = kind === 'phone'
      ? await Phone.ready({ url: network.url, ...common })
      : await Page.ready({ server: network.url, ...common, url: this.pages.url, browser: this.pages.browsers[user] })
    endpoint.network = network
    return endpoint
  }

  /** A way to the server that can be cut. */
  network() {
    return Proxy.start(this.server.port)
  }
}
