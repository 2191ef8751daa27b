// Swift on Linux, in a folder of its own: Debian trixie with its Swift 6, entered with chroot.
//   node scripts/swift.mjs                 makes the folder (about 750 MB to download, 2.7 GB); at once when it is there
//   node scripts/swift.mjs COMMAND ARG…    runs a command in it; this repository is at the same path there
// Needs root and a system with apt; says why where it can't. JMRTC_SWIFT_ROOT names another folder.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './run.mjs'

const SUITE = 'trixie'
const folder = process.env.JMRTC_SWIFT_ROOT ?? '/var/tmp/jmrtc-swift'
const done = join(folder, 'ready')

/** Why there can be no Swift on this machine; nothing where there can. */
function impossible() {
  if (process.platform !== 'linux') return 'it wants Linux'
  if (process.getuid() !== 0) return 'chroot wants root'
  if (spawnSync('unshare', ['--mount', 'true'], { stdio: 'ignore' }).status !== 0) return 'unshare --mount is not permitted here'
  if (existsSync(done)) return undefined
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) return 'it wants apt-get'
  return undefined
}

/** Makes the folder unless it is there. Resolves with nothing when it is, else with why not, a text. */
export async function prepareSwift() {
  const why = impossible()
  if (why) return why
  if (existsSync(done)) return undefined
  if (spawnSync('debootstrap', ['--version'], { stdio: 'ignore' }).status !== 0) {
    const code = await run('apt-get', ['install', '--yes', '--no-install-recommends', 'debootstrap'], { stdio: 'inherit' })
    if (code !== 0) return 'debootstrap could not be installed'
  }
  // Made elsewhere and moved, so that an interrupted run leaves nothing half behind.
  const making = `${folder}.making`
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] }
  console.log(`Making ${folder}: Debian ${SUITE} with Swift, about 750 MB to download`)
  for (const mirror of mirrors()) {
    rmSync(making, { recursive: true, force: true })
    mkdirSync(making, { recursive: true })
    // What it mounts goes with it, even where it is killed.
    if (await run('unshare', ['--mount', 'debootstrap', '--variant=minbase', SUITE, making, mirror], quiet) !== 0) continue
    const code = await enter(making, 'sh', ['-ec', `
      apt-get update --quiet --quiet
      DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends swiftlang libc6-dev libstdc++-14-dev gcc
      apt-get clean
      rm -rf /var/lib/apt/lists/*`], quiet)
    if (code !== 0) continue
    renameSync(making, folder)
    writeFileSync(done, '')
    return undefined
  }
  rmSync(making, { recursive: true, force: true })
  return `no mirror gave Debian ${SUITE} with Swift`
}

/** Debian's mirrors that this system's apt uses. */
function mirrors() {
  const format = '$(TARGET_OF) $(REPO_URI)'
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format, 'Created-By: Packages', 'Origin: Debian', 'Label: Debian'], { encoding: 'utf8' })
  const known = stdout.split('\n').filter((line) => line.startsWith('deb ')).map((line) => line.slice(4).trim().replace(/\/$/, ''))
  return new Set([...known, 'http://deb.debian.org/debian'])
}

/** Runs a command in a prepared folder; its mounts end with it. */
function enter(into, command, args, options = {}) {
  // The chroot's own /proc, or Swift's runtime is not found; nothing of it is seen outside.
  const script = `
    mkdir -p "$0/proc" "$0/dev" "$0/tmp" "$0$1"
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    mount --bind /tmp "$0/tmp"
    mount --bind "$1" "$0$1"
    root="$0" folder="$1"
    shift
    exec chroot "$root" sh -ec 'cd "$0"; exec "$@"' "$folder" "$@"`
  return run('unshare', ['--mount', 'sh', '-ec', script, into, root, command, ...args], {
    ...options, env: { ...process.env, HOME: '/root', PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', ...options.env },
  })
}

/** Runs a command where Swift is, in the root folder; resolves with its exit code. `prepareSwift` first. */
export function inSwift(command, args = [], options = {}) {
  return enter(folder, command, args, options)
}

if (process.argv[1] === import.meta.filename) {
  const why = await prepareSwift()
  if (why) {
    console.error(`No Swift here: ${why}`)
    process.exit(1)
  }
  const [command, ...args] = process.argv.slice(2)
  process.exit(command ? await inSwift(command, args, { stdio: 'inherit' }) : 0)
}
