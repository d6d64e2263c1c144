/**
 * Drives one of Node's transform streams from an async iterable to an async iterable. The transform works on the
 * thread pool, one chunk ahead of the consumer.
 *
 * Invariants:
 * - A chunk of the source is written and taken by the transform before the next one is asked for.
 * - However it ends, the transform is destroyed and the source is closed before the generator has ended.
 * - A failure of the source is thrown as it is; only a failure of the transform is explained.
 * - When the transform ends by itself, the source is still read to its end: whoever wraps it sees all bytes.
 */
import type { Transform } from 'node:stream'

export async function* throughTransform(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
  explain: (error: unknown) => unknown,
): AsyncGenerator<Buffer> {
  const feeder = new Feeder(source, transform)
  const feeding = feeder.run()
  try {
    for await (const chunk of transform) yield chunk as Buffer
    await feeding
  } catch (error) {
    transform.destroy()
    await feeding
    if (feeder.failure === undefined) throw explain(error)
  } finally {
    feeder.abandoned = true
    transform.destroy()
    await feeding
  }
  if (feeder.failure !== undefined) throw feeder.failure.error
}

class Feeder {
  /** Set when nobody wants the output any more: then the source is not read on. */
  abandoned = false
  failure: { readonly error: unknown } | undefined
  readonly #source: AsyncIterable<Uint8Array>
  readonly #transform: Transform
  readonly #closed: Promise<void>

  constructor(source: AsyncIterable<Uint8Array>, transform: Transform) {
    this.#source = source
    this.#transform = transform
    this.#closed = new Promise(resolve => transform.once('close', resolve))
  }

  /** Never rejects. */
  async run(): Promise<void> {
    try {
      for await (const chunk of this.#source) {
        if (this.abandoned || this.#transform.errored !== null) return
        if (!this.#transform.destroyed) await this.#write(chunk)
      }
      this.#transform.end()
    } catch (error) {
      this.failure = { error }
      this.#transform.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** A transform that is destroyed never answers a write, so its 'close' counts as an answer. */
  async #write(chunk: Uint8Array): Promise<void> {
    await Promise.race([new Promise<void>(resolve => this.#transform.write(chunk, () => resolve())), this.#closed])
  }
}
