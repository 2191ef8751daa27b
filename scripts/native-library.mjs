// What is inside a native library, by the LLVM tools that come with Rust (rustup component add llvm-tools).
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

const rustc = (...args) => spawnSync('rustc', ['--print', ...args], { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''

/** Where rustup keeps what belongs to the compiler in use. */
export const sysroot = () => rustc('sysroot')

/** A program that comes with Rust, as `llvm-nm` or `rust-lld`. */
export const tool = (name) => join(sysroot(), 'lib/rustlib', rustc('host-tuple'), 'bin', name)

export const hasTools = () => existsSync(tool('llvm-nm'))

/** Whether the standard library of `target` is there. */
export const hasTarget = (target) => existsSync(join(sysroot(), 'lib/rustlib', target, 'lib'))

const look = (name, ...args) => execFileSync(tool(name), args, { encoding: 'utf8', maxBuffer: 1 << 28 })

/** The functions of the generated C header: whoever loads the library looks for each of them. */
export function promised() {
  const header = readFileSync(join(root, 'bindings/generated/swift/JmrtcCoreFFI.h'), 'utf8')
  const names = [...header.matchAll(/\b((?:uni)?ffi_jmrtc_\w+)\(/g)].map((m) => m[1])
  if (names.length < 20) throw new Error('JmrtcCoreFFI.h was not understood')
  return names
}

/** Symbols of a library: `{exported, wanted}`; those that may be missing at run time are not wanted. */
export function symbols(path, ...options) {
  const lines = look('llvm-nm', '--extern-only', ...options, path).split('\n')
  const of = (pattern) => lines.map((line) => line.match(pattern)?.[1]).filter((name) => name !== undefined)
  return { exported: of(/^[0-9a-f]+ [A-TV-Z] (.+)$/), wanted: of(/^ *U (.+)$/) }
}

/**
 * What the linker is told for `libjmrtc.so`, in its own words. The NDK has half of C++ in libc++abi.a: Oboe names only
 * libc++_static.a, and a C compiler that links adds neither. Rust puts this behind all libraries.
 */
export const LINK_FOR_ANDROID = ['-zmax-page-size=16384', '-soname=libjmrtc.so', '-lc++abi']

/** All that Android 7 has of what the library may be linked with. */
const SYSTEM = ['libc.so', 'libm.so', 'libdl.so', 'liblog.so', 'libOpenSLES.so', 'libandroid.so']

/** What is wrong with a `libjmrtc.so` for Android, a list of texts. */
export function faultsOfAndroid(path) {
  const text = look('llvm-readobj', '--elf-output-style=GNU', '--program-headers', '--dynamic-table', path)
  const all = (pattern) => [...text.matchAll(pattern)].map((m) => m[1])
  const soname = all(/\(SONAME\).*\[(.+)\]/g).join()
  const alignments = all(/^ +LOAD .* (0x[0-9a-f]+)$/gm)
  const others = all(/\(NEEDED\).*\[(.+)\]/g).filter((name) => !SYSTEM.includes(name))
  const { exported } = symbols(path, '--dynamic')
  const missing = [...promised(), 'jmrtc_give_context'].filter((name) => !exported.includes(name))
  return [
    soname !== 'libjmrtc.so' && `its soname is ${soname || 'missing'}`,
    (alignments.length < 2 || alignments.some((bytes) => Number(bytes) % 16384 !== 0)) && `segments aligned to ${alignments}, not to pages of 16 KB`,
    text.includes('TEXTREL') && 'its code has to be relocated',
    others.length > 0 && `it needs ${others.join(', ')}`,
    missing.length > 0 && `it does not export ${missing.join(', ')}`,
  ].filter(Boolean)
}

/** What is wrong with a JmrtcCoreFFI.framework for iOS from `minimum` on, a list of texts. */
export function faultsOfIos(framework, minimum) {
  const path = join(framework, 'JmrtcCoreFFI')
  const text = look('llvm-objdump', '--macho', '--private-headers', path)
  const { exported, wanted } = symbols(path)
  const missing = promised().filter((name) => !exported.includes(`_${name}`))
  const old = wanted.filter((name) => name.startsWith('_AudioSession'))
  const header = readFileSync(join(framework, 'Modules/module.modulemap'), 'utf8').match(/^framework module JmrtcCoreFFI \{\s+header "(.+)"/)?.[1]
  const versions = [...text.matchAll(/^ +minos (.+)$/gm)].map((m) => m[1])
  return [
    !/^ +name @rpath\/JmrtcCoreFFI\.framework\/JmrtcCoreFFI /m.test(text) && 'its install name is another',
    (versions.length === 0 || versions.some((version) => version !== minimum)) && `it is for iOS ${versions}, not ${minimum}`,
    !(header && existsSync(join(framework, 'Headers', header))) && 'its module has no header',
    missing.length > 0 && `it does not export ${missing.join(', ')}`,
    !wanted.includes('_AudioUnitRender') && 'it has no microphone',
    old.length > 0 && `it uses what Apple has given up: ${old.join(', ')}`,
  ].filter(Boolean)
}
