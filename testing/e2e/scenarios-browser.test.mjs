// Every scenario with pages in Chromium before a real server, and where it matters pages and phones together.
import { scenarios } from './lib/scenarios.mjs'
import { cleanUp } from './lib/world.mjs'

scenarios('pages', 'browser', { concurrency: 4 })
cleanUp(() => undefined)
