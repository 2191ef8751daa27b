// What phones are told in each story, and that both are told the same in one process or another.
import { before } from 'node:test'
import { runStories } from './lib/run-stories.mjs'
import { World, cleanUp } from './lib/world.mjs'

let world
before(async () => {
  world = await World.start({ args: ['--ping-time', '1s'] })
})
runStories(() => world, ['phone', 'phone'])
cleanUp(() => world?.server)
