import init, { Machine } from '../../wasm/jmrtc_wasm.js'
import bytes from '../../wasm/jmrtc_wasm_bg.wasm'
import type { Config } from '../generated/machine.js'

export type { Machine }

/** Makes a call machine. The wasm is part of this script: no second request, no path to configure. */
export async function createMachine(config: Config): Promise<Machine> {
  await init({ module_or_path: bytes })
  return new Machine(JSON.stringify(config))
}
