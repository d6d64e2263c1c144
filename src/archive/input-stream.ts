/**
 * The user's stream: counted, checked for being bytes, and stoppable while it waits, so that an abort never depends on
 * whether somebody still writes into the other end of a pipe.
 */
import { PhylloError } from '../errors.js'
import { inputError } from './input.js'

/**
 * Work on an input that is its own from now on: a Readable is destroyed when the work fails, also before anybody has read of it, so that
 * no descriptor stays open.
 */
export async function taking<T>(input: string | AsyncIterable<unknown>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (typeof input !== 'string') destroy(input)
    throw error
  }
}

export class InputStream implements AsyncIterable<Uint8Array> {
  readonly #input: AsyncIterable<unknown>
  readonly #name: string
  #bytesRead = 0
  #stopped: { readonly reason: unknown } | undefined
  #interrupt: ((reason: unknown) => void) | undefined

  constructor(input: AsyncIterable<unknown>, name: string) {
    this.#input = input
    this.#name = name
  }

  get bytesRead(): number {
    return this.#bytesRead
  }

  destroy(): void {
    destroy(this.#input)
  }

  /** Whoever reads gets `reason` thrown, now. A Readable is destroyed. */
  stop(reason: unknown): void {
    if (this.#stopped !== undefined) return
    this.#stopped = { reason }
    this.#interrupt?.(reason)
    this.destroy()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    const iterator = this.#input[Symbol.asyncIterator]()
    let ended = false
    try {
      for (;;) {
        const { done, value } = await this.#next(iterator)
        if ((ended = done === true)) return
        this.#bytesRead += value.length
        yield value
      }
    } finally {
      // Not awaited: a generator that waits for its next value answers only after that.
      if (!ended) iterator.return?.().catch(() => undefined)
    }
  }

  async #next(iterator: AsyncIterator<unknown>): Promise<IteratorResult<Uint8Array>> {
    let next: IteratorResult<unknown>
    try {
      next = await new Promise<IteratorResult<unknown>>((resolve, reject) => {
        if (this.#stopped !== undefined) return reject(this.#stopped.reason)
        this.#interrupt = reject
        iterator.next().then(resolve, reject)
      })
    } catch (error) {
      if (this.#stopped !== undefined) throw this.#stopped.reason
      throw error instanceof PhylloError ? error : inputError(error, this.#name, pathOf(this.#input))
    }
    if (next.done || next.value instanceof Uint8Array) return next as IteratorResult<Uint8Array>
    throw new TypeError(`${this.#name}: the stream gives ${typeof next.value}, not bytes`)
  }
}

function destroy(input: AsyncIterable<unknown>): void {
  // A file that is being opened may still fail to, and nobody would be listening.
  if ('on' in input && typeof input.on === 'function') input.on('error', () => undefined)
  if ('destroy' in input && typeof input.destroy === 'function') input.destroy()
}

/** Of a stream that reads a file. */
function pathOf(stream: object): string | undefined {
  return 'path' in stream && typeof stream.path === 'string' ? stream.path : undefined
}
