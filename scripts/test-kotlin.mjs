// `npm run test:kotlin`: calls from the JVM through the generated Kotlin, the real library and a real server.
// Builds nothing but the Kotlin: `npm test` has built the rest, or cargo build --workspace.
import { judgeTalkOnJvm, needMaven } from './bridge-test.mjs'

needMaven()
await judgeTalkOnJvm('kotlin')
