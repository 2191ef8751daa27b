// What an app in a browser is told in each story: tab to tab, and where it matters tab to phone and phone to tab.
import { before } from 'node:test'
import { apiPage } from './lib/api-page.mjs'
import { startBrowser } from './lib/browser.mjs'
import { runStories } from './lib/run-stories.mjs'
import { tone } from './lib/speech.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
before(async () => {
  world = await World.start({ args: ['--ping-time', '1s'] })
  // Two browsers: the tabs of one share a process, and a story ends with the death of one of them.
  const [alice, bob] = await Promise.all([startBrowser({ microphone: tone(440) }), startBrowser({ microphone: tone(1000) })])
  world.pages = { url: await apiPage(), browsers: { alice, bob } }
})
runStories(() => world, ['page', 'page'])
const mixed = ['Bob accepts, Alice hangs up', 'Bob refuses', 'Alice gives up', 'glare: both call each other, Bob is first', "Bob's app dies in the call", "Bob's signalling is lost and back"]
runStories(() => world, ['page', 'phone'], { only: mixed })
runStories(() => world, ['phone', 'page'], { only: mixed })
cleanUp(() => world?.server)
