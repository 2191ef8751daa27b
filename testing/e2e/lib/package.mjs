// The npm package and the apps it goes into: what is in a folder, and what a tool has made of it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import { newNode } from '../../../scripts/install.mjs'
import { root } from './paths.mjs'

export const ID = 'cordova-plugin-jmrtc'

/** What is built elsewhere and is in no checkout. */
export const NATIVE = [
  ...['arm64-v8a', 'armeabi-v7a', 'x86_64'].map((abi) => `android/jniLibs/${abi}/libjmrtc.so`),
  'ios/JmrtcCoreFFI.xcframework/Info.plist',
  'ios/JmrtcCoreFFI.xcframework/ios-arm64/JmrtcCoreFFI.framework/JmrtcCoreFFI',
]

/** Runs a command to its end; returns what it said. It must succeed, unless `fails`. */
export function run(cwd, [command, ...args], { fails = false } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', env: { ...process.env, CI: '1' } })
  const said = `${stdout}\n${stderr}`
  assert.equal(status !== 0, fails, `${command} ${args.join(' ')}: ${error?.message ?? `ended with ${status}`}\n${said}`)
  return said
}

/** Runs the Capacitor command line of the app in `cwd`. */
export function capacitor(cwd, ...args) {
  const node = newNode()
  assert.ok(node, 'Capacitor wants Node 22 or newer: node scripts/install.mjs --for test')
  return run(cwd, ['env', `PATH=${dirname(node)}${delimiter}${process.env.PATH}`, node, 'node_modules/@capacitor/cli/bin/capacitor', ...args])
}

/** Makes `folder` a checkout of what is here, with all that was built, and stand-ins for what can't be built here. */
export function checkout(folder) {
  const { stdout, status } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  assert.equal(status, 0, 'git ls-files')
  for (const path of [...stdout.split('\0').filter(Boolean), 'dist', 'demo/dist']) {
    if (existsSync(join(root, path))) cpSync(join(root, path), join(folder, path), { recursive: true })
  }
  for (const path of NATIVE) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), `stands in for ${path}\n`)
  }
}

/** Every file under a folder, `{path: contents}`, without what npm installs. */
export function tree(folder) {
  const npms = /^(node_modules\/|package-lock\.json$)/
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name))).filter((path) => !npms.test(path))
  return Object.fromEntries(files.toSorted().map((path) => [path, readFileSync(join(folder, path), 'latin1')]))
}

/** What became of a tree: `{added, removed, changed}`, paths. */
export function changes(before, after) {
  return {
    added: Object.keys(after).filter((path) => !(path in before)),
    removed: Object.keys(before).filter((path) => !(path in after)),
    changed: Object.keys(after).filter((path) => path in before && before[path] !== after[path]),
  }
}

/** The lines that a text has got, without the commas and blanks that came with them; none may be gone. */
export function addedLines(before, after) {
  const lines = (text) => text.split('\n').map((line) => line.trim().replace(/,$/, '')).filter(Boolean)
  const left = lines(before)
  const added = lines(after).filter((line) => {
    const at = left.indexOf(line)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
  assert.deepEqual(left, [], 'lines that are gone')
  return added
}

/** XML elements without content, alike however their attributes are ordered and spaced. */
export function elements(xml, names) {
  const tags = xml.match(new RegExp(`<(?:${names.join('|')})\\s[^>]*/>`, 'g')) ?? []
  return tags.map((tag) => [tag.match(/\w[\w-]*/)[0], ...tag.match(/[\w:]+="[^"]*"/g).toSorted()].join(' ')).toSorted()
}

/** JSON without what is empty: what a tool's bookkeeping says, not what it has room for. */
export function said(json) {
  const prune = (value) => {
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).map(([key, inner]) => [key, prune(inner)]).filter(([, inner]) => inner !== undefined)
    if (entries.length === 0) return undefined
    return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries)
  }
  return prune(JSON.parse(json))
}
