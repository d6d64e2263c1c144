/** One repository of one registry: what every operation on it is told. */
import type { Limits } from '../limits.js'
import type { Session } from './session.js'

export interface Place {
  readonly session: Session
  /** `library/alpine`: never with the registry's name. */
  readonly path: string
  /** `docker.io/library/alpine`, for messages. */
  readonly name: string
  readonly limits: Limits
}

export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

export function pullScope(path: string): string {
  return `repository:${path}:pull`
}

/** In Docker's order, so that a token server that compares texts sees what it knows. */
export function pushScope(path: string): string {
  return `repository:${path}:push,pull`
}
