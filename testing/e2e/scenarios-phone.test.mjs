// Every scenario with jmrtc-phones before a real server.
import { scenarios } from './lib/scenarios.mjs'
import { cleanUp } from './lib/world.mjs'

scenarios('phones', 'phone', { concurrency: 7 })
cleanUp(() => undefined)
