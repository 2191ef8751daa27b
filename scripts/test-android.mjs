// `npm run test:android`: the Android plugin on a desktop JVM: Robolectric, CordovaLib's sources, the real library, a real
// server and phone. Builds nothing but Java and Kotlin: `npm test` has built the rest, or cargo build --workspace.
import { program } from '../testing/e2e/lib/paths.mjs'
import { judgeTalkOnJvm, needMaven } from './bridge-test.mjs'

needMaven()
await judgeTalkOnJvm('android', { 'jmrtc.phone': program('jmrtc-phone') })
