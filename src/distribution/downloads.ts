/**
 * The blobs that a store fetches: so many at once, whatever asks for them, and each once, whoever asks for it.
 *
 * Invariants:
 * - Bytes that turn out to be wrong, or that nobody gives the rest of, are fetched once more if some were there before, and never twice.
 * - When `fetch` settles, nothing of what it was asked for goes on, unless somebody else wants it, too.
 */

import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { PhylloError } from '../errors.js'
import { KiB } from '../limits.js'
import type { Digest } from '../oci/digest.js'
import type { ByteRange } from '../pool/jobs.js'
import type { Pool } from '../pool/pool.js'
import { Turns } from '../pool/turns.js'
import type { Repository } from '../registry/repository.js'
import { SharedLoop } from './shared-loop.js'
import { type Blob, type Receiver, Transfer } from './transfer.js'

/** Bytes that all transfers together take from their sockets in one turn of the event loop. */
const turnBytes = 512 * KiB

export interface DownloadsParts {
  readonly root: Root
  readonly pool: () => Pool
}

export interface DownloadsOptions {
  /** Blobs at once. */
  readonly atOnce: number
  /** What came stays in `blobs/` when the layer is there. */
  readonly keep: boolean
}

export interface Download {
  readonly repository: Repository
  readonly blob: Blob
  readonly signal: AbortSignal
  readonly receiver: Receiver
  /** Bytes that came for it, when it is over. */
  readonly onFetched: (bytes: number) => void
}

export class Downloads {
  readonly keeps: boolean
  readonly #parts: DownloadsParts
  readonly #turns: Turns
  readonly #loop = new SharedLoop(turnBytes)
  #following: Turns | undefined
  /** By repository and digest. */
  readonly #transfers = new Map<string, Transfer>()

  /** @throws TypeError for options that are none */
  constructor(parts: DownloadsParts, { atOnce, keep }: DownloadsOptions) {
    if (!Number.isInteger(atOnce) || atOnce < 1 || atOnce > 1024)
      throw new TypeError(`concurrentDownloads: ${atOnce} is not a whole number from 1 to 1024`)
    this.#parts = parts
    this.#turns = new Turns(atOnce)
    this.keeps = keep
  }

  /** How many bytes of it have still to come. */
  async missingBytes({ digest, sizeBytes }: Blob): Promise<number> {
    const { io, paths } = this.#parts.root
    const there = (await ifThere(io.status(paths.partial(digest))))?.sizeBytes ?? 0
    return there > sizeBytes ? sizeBytes : sizeBytes - there
  }

  /**
   * Has the bytes used while they arrive. Undefined: somebody else has made of them what was wanted.
   *
   * @throws REGISTRY_ codes, DIGEST_MISMATCH, SIZE_MISMATCH, STORE_IO, the signal's reason, whatever `use` throws
   */
  async fetch<T>(download: Download, use: (range: ByteRange) => Promise<T>): Promise<T | undefined> {
    for (let again = true; ; again = false) {
      const transfer = this.#join(download)
      try {
        const used = await this.#use(transfer, download, use)
        if (used !== undefined) return used.value
        if (!(await download.receiver.isWanted())) return undefined
      } catch (error) {
        const told = await this.#judge(transfer, error, download.signal)
        if (!again || transfer.resumedBytes === 0 || told.bytesAreRight) throw told.error
      } finally {
        await this.#leave(transfer, download)
      }
    }
  }

  /** The layer that was made of it is in the store: it goes, or to where blobs are kept. What somebody has taken up is theirs. */
  async settle({ digest, sizeBytes }: Blob): Promise<void> {
    const { root } = this.#parts
    const path = root.paths.partial(digest)
    const release = await ifThere(root.tryHold(path))
    if (release === undefined) return
    try {
      const there = (await ifThere(root.io.status(path)))?.sizeBytes
      if (there !== sizeBytes) return
      if (this.keeps) await root.publishFile(path, root.paths.blob(digest), 0o600)
      else await root.discard(path)
    } finally {
      await release()
    }
  }

  /** A manifest or an index, verified: where blobs are kept, it stays beside them. */
  async settleDocument(digest: Digest, bytes: Buffer): Promise<void> {
    const { root } = this.#parts
    if (this.keeps) await root.publishBytes(root.paths.blob(digest), bytes, 0o600)
  }

  #join({ repository, blob, receiver }: Download): Transfer {
    const key = `${repository.name} ${blob.digest}`
    const there = this.#transfers.get(key)
    if (there !== undefined && there.blob.sizeBytes === blob.sizeBytes) {
      there.join(receiver)
      return there
    }
    const { root, pool } = this.#parts
    // One thread is left for what is there.
    this.#following ??= new Turns(Math.max(1, pool().workers - 1))
    const transfer = new Transfer(
      { root, turns: this.#turns, following: this.#following, loop: this.#loop },
      repository,
      blob,
      receiver,
    )
    this.#transfers.set(key, transfer)
    return transfer
  }

  /** Undefined: nobody has wanted it at the time. */
  async #use<T>(
    transfer: Transfer,
    { signal }: Download,
    use: (range: ByteRange) => Promise<T>,
  ): Promise<{ readonly value: T } | undefined> {
    const range = await orAborted(transfer.ready, signal)
    if (transfer.failure !== undefined) throw transfer.failure.error
    if (range === undefined) return undefined
    const value = await use(range)
    // Whether more came than should.
    await orAborted(transfer.ended(), signal)
    if (transfer.failure !== undefined) throw (transfer.failure as { error: unknown }).error
    return { value }
  }

  /** What was to blame. Bytes that are go with the transfer. */
  async #judge(
    transfer: Transfer,
    error: unknown,
    signal: AbortSignal,
  ): Promise<{ readonly error: unknown; readonly bytesAreRight: boolean }> {
    signal.throwIfAborted()
    // A job has only heard that nothing more came.
    if (transfer.failure !== undefined) {
      const { error: first } = transfer.failure
      // Whoever can give only all of it would fail every pull for as long as a part is there.
      const isOfPart = transfer.resumedBytes > 0 && isOfRange(first)
      if (isOfPart || (first instanceof PhylloError && first.code === 'SIZE_MISMATCH')) this.#condemn(transfer)
      return { error: first, bytesAreRight: !isOfPart }
    }
    if (!isOfBytes(error)) return { error, bytesAreRight: true }
    this.#condemn(transfer)
    if (error.code === 'DIGEST_MISMATCH' || !transfer.isWhole) return { error, bytesAreRight: false }
    // Whoever makes a layer may find fault with it long before its digest is known.
    const { digest } = transfer.blob
    const { isWhole } = await this.#parts.pool().run('check-blob', { path: transfer.path, digest }, { signal })
    if (isWhole) return { error, bytesAreRight: true }
    const facts = { expected: digest, path: transfer.path, cause: error }
    return { error: new PhylloError('DIGEST_MISMATCH', `does not hash to ${digest}`, facts), bytesAreRight: false }
  }

  #condemn(transfer: Transfer): void {
    transfer.condemn()
    this.#forget(transfer)
  }

  async #leave(transfer: Transfer, { receiver, onFetched }: Download): Promise<void> {
    const left = transfer.leave(receiver)
    const last = transfer.isOver
    if (last) this.#forget(transfer)
    await left
    if (last) onFetched(transfer.fetchedBytes)
  }

  /** Nobody joins it any more. */
  #forget(transfer: Transfer): void {
    for (const [key, one] of this.#transfers) if (one === transfer) this.#transfers.delete(key)
  }
}

/** The server does not give the rest of a blob: not satisfiable (416), or another range than was asked for. */
function isOfRange(error: unknown): boolean {
  if (!(error instanceof PhylloError)) return false
  return error.status === 416 || (error.code === 'REGISTRY_PROTOCOL' && error.status === 206)
}

/** What a job says of bytes, and not of the machine that it runs on. */
function isOfBytes(error: unknown): error is PhylloError {
  if (!(error instanceof PhylloError)) return false
  return !['DISK_FULL', 'INPUT_IO', 'OUTPUT_IO', 'WORKER_DIED'].includes(error.code) && !error.code.startsWith('STORE_')
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
