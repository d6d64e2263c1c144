/**
 * A file that is written while jobs read it already.
 *
 * Invariants:
 * - The counter says what is in the file, never more: it advances after the write has returned, and wakes whoever waits.
 * - The caller is held back by the disk: one write is in flight, and one buffer fills meanwhile.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { callError, type PhylloError } from '../errors.js'
import { chunkBytes } from '../limits.js'

export class GrowingFile {
  readonly path: string
  /** Two BigInt64: bytes that are there, and 0 while they grow, 1 at the end, -1 after a failure. */
  readonly counter = new SharedArrayBuffer(16)
  readonly #counters = new BigInt64Array(this.counter)
  readonly #handle: FileHandle
  #filling: Buffer
  #spare: Buffer
  #filled = 0
  #written = 0
  #inFlight: Promise<void> = Promise.resolve()

  private constructor(path: string, handle: FileHandle, writeBytes: number, there = 0) {
    this.#written = there
    Atomics.store(this.#counters, 0, BigInt(there))
    this.path = path
    this.#handle = handle
    this.#filling = Buffer.allocUnsafeSlow(writeBytes)
    this.#spare = Buffer.allocUnsafeSlow(writeBytes)
  }

  /**
   * Chunks are gathered into writes of so many bytes, which a reader waits for; those of a quarter of that and more are not worth
   * copying.
   */
  static async create(path: string, writeBytes: number = chunkBytes): Promise<GrowingFile> {
    try {
      return new GrowingFile(path, await open(path, 'wx', 0o600), writeBytes)
    } catch (cause) {
      throw stageError(cause, path)
    }
  }

  /** Goes on with a file that is there, behind its first `there` bytes; whatever else it holds goes. */
  static async takeUp(path: string, there: number, writeBytes: number = chunkBytes): Promise<GrowingFile> {
    let handle: FileHandle | undefined
    try {
      handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
      await handle.truncate(there)
      return new GrowingFile(path, handle, writeBytes, there)
    } catch (cause) {
      await handle?.close().catch(() => undefined)
      throw stageError(cause, path)
    }
  }

  /** The chunk is the caller's again when the promise has settled. */
  async append(chunk: Uint8Array): Promise<void> {
    const { length: most } = this.#filling
    for (let at = 0; at < chunk.length; ) {
      if (this.#filled === 0 && chunk.length - at >= most / 4) {
        const piece = chunk.subarray(at, at + most)
        await this.#inFlight
        await this.#write(piece)
        at += piece.length
      } else {
        const piece = chunk.subarray(at, at + most - this.#filled)
        this.#filling.set(piece, this.#filled)
        this.#filled += piece.length
        at += piece.length
        if (this.#filled === most) await this.#flush()
      }
    }
  }

  /** Writes what is left and tells the readers that this is all. */
  async end(): Promise<void> {
    await this.#flush()
    await this.#inFlight
    await this.#close(1n)
  }

  /** Writes what is left, if that can be, and tells the readers that no more will come. The bytes that are there stay readable. */
  async fail(): Promise<void> {
    await this.#flush().catch(() => undefined)
    await this.#inFlight.catch(() => undefined)
    await this.#close(-1n)
  }

  /** Starts writing the filled buffer, once the one before has been written. */
  async #flush(): Promise<void> {
    await this.#inFlight
    if (this.#filled === 0) return
    const full = this.#filling.subarray(0, this.#filled)
    ;[this.#filling, this.#spare] = [this.#spare, this.#filling]
    this.#filled = 0
    this.#inFlight = this.#write(full)
    // Whoever awaits it next gets the failure; until then nobody does, and that is no unhandled one.
    this.#inFlight.catch(() => undefined)
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, this.#written)
        done += bytesWritten
        this.#written += bytesWritten
      }
    } catch (cause) {
      throw stageError(cause, this.path)
    }
    Atomics.store(this.#counters, 0, BigInt(this.#written))
    Atomics.notify(this.#counters, 0)
  }

  async #close(state: 1n | -1n): Promise<void> {
    if (Atomics.compareExchange(this.#counters, 1, 0n, state) !== 0n) return
    Atomics.notify(this.#counters, 0)
    await this.#handle.close()
  }
}

function stageError(cause: unknown, path: string): PhylloError {
  return callError('STORE_IO', cause, { operation: 'write', path, said: 'cannot be written to the stage' })
}
