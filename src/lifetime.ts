/**
 * How long a store lives: until it is closed, and what it has begun has ended.
 *
 * Invariant: nothing begins once it is closing, and closing waits for everything that has begun.
 */
import { PhylloError } from './errors.js'
import { Operation, type OperationContext } from './operation.js'

export class Lifetime {
  readonly #name: string
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  /** The name stands in messages. */
  constructor(name: string) {
    this.#name = name
  }

  /** Starts an operation that close() will wait for. */
  operation<T>(work: (context: OperationContext) => Promise<T>, signal: AbortSignal | undefined): Operation<T> {
    this.assertOpen()
    return this.hold(new Operation(work, signal))
  }

  /** close() waits for it. */
  hold<T>(operation: Operation<T>): Operation<T> {
    // Its own handle on the failure: close() waits for the end and does not care which, while the user's promise still
    // says it, and a failure that nobody awaits is still reported.
    const ended = operation.ended
    this.#running.add(ended)
    void ended.then(() => this.#running.delete(ended))
    return operation
  }

  /** @throws STORE_CLOSED */
  assertOpen(): void {
    if (this.#closing !== undefined) throw new PhylloError('STORE_CLOSED', `${this.#name} is closed`)
  }

  /** Idempotent: `last` is done once, when everything has ended. */
  close(last: () => Promise<void>): Promise<void> {
    return (this.#closing ??= Promise.allSettled(this.#running).then(last))
  }
}
