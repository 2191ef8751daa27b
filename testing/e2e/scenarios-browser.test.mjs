// Every scenario with pages in Chromium before a real server, and where it matters pages and phones together.
import { scenarios } from './lib/scenarios.mjs'
import { cleanUp } from './lib/world.mjs'

scenarios('pages', 'browser', { concurrency: 6 })
const only = ['calls/accept-and-hang-up.yaml', 'corners/glare-bob-first.yaml', 'network/signalling-lost-and-back.yaml', 'reasons/app-dies.yaml', 'reasons/invitee-refuses.yaml', 'reasons/inviter-gives-up.yaml']
scenarios('page to phone', { alice: 'browser' }, { only, concurrency: 4 })
scenarios('phone to page', { bob: 'browser' }, { only, concurrency: 4 })
const groups = ['group/invited-into-a-running-call.yaml', 'group/member-lost.yaml', 'group/muted.yaml', 'group/the-whole-story.yaml']
scenarios('pages and phones in one call', { alice: 'browser', carol: 'browser' }, { only: groups, concurrency: 4 })
cleanUp(() => undefined)
