import { ErrorCode } from './generated/constants.js'
import type { Failure } from './generated/model.js'

/** What a failed method rejects with: `{code, name, description}` of the error table, as a real `Error`. */
export class JmrtcError extends Error implements Failure {
  /** One of the stable numbers of the error table. */
  readonly code: number
  /** The stable name that goes with `code`, e.g. `INVALID_STATE`. */
  override readonly name: string
  /** What went wrong, for a developer; may change between releases. */
  readonly description: string

  /** From the three fields. */
  constructor({ code, name, description }: Failure) {
    super(description)
    this.code = code
    this.name = name
    this.description = description
  }
}

/** A failure by its stable name. */
export function failure(name: keyof typeof ErrorCode, description: string): Failure {
  return { code: ErrorCode[name], name, description }
}

/** What to say of something that was thrown. */
export function why(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
}
