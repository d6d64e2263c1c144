/**
 * Gzipped layers on their way into an archive or to a registry: each in a file of one directory, which goes with them.
 *
 * Invariants:
 * - Once it is disposed of no job writes there, and nothing is left.
 * - A file that is read while it grows gives what its job has written, and ends where that ends; if the job fails, it fails.
 */
import { mkdtemp, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bytesThere } from '../disk/read-range.js'
import { toldLater } from '../errors.js'
import { KiB } from '../limits.js'
import { type DiffId, type Digest, hexOf } from '../oci/digest.js'
import { LayerGzip, type TarToGzip } from './layer-gzip.js'
import type { Pool } from './pool.js'

/** A gzipped layer in a file. */
export interface GzippedLayer {
  readonly path: string
  readonly digest: Digest
  readonly sizeBytes: number
}

/** A directory of our own. */
export interface GzipPlace {
  readonly path: string
  dispose(): Promise<void>
}

export interface GzipStageOptions {
  readonly pool: () => Pool
  readonly signal: AbortSignal
  /** Asked for when the first layer is. */
  readonly place: () => Promise<GzipPlace>
}

/** Bytes that are read of a growing file at once, at most; with less than the least it is waited for more, for a moment. */
const readBytes = 512 * KiB
const leastBytes = 256 * KiB
const momentMs = 20

/** In the system's temporary directory: for whoever may not write to the store that the layers are in. */
export async function temporaryPlace(prefix: string): Promise<GzipPlace> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  return { path, dispose: async () => (await import('fs-extra/esm')).remove(path) }
}

export class GzipStage implements AsyncDisposable {
  readonly #options: GzipStageOptions
  readonly #gzip: LayerGzip
  readonly #jobs = new Set<Promise<unknown>>()
  #place: Promise<GzipPlace> | undefined

  constructor(options: GzipStageOptions) {
    this.#options = options
    this.#gzip = new LayerGzip(options.pool)
  }

  /** Begins with a layer, whose file is there as far as its job is. */
  begin(layer: TarToGzip): GrowingGzip {
    const counter = new SharedArrayBuffer(16)
    const path = this.#pathOf(layer.diffId)
    const growing = new GrowingGzip(layer, path, counter, onProgress => this.#write(layer, path, counter, onProgress))
    this.#jobs.add(growing.done)
    return growing
  }

  /** A layer as a whole. */
  layer(layer: TarToGzip): Promise<GzippedLayer> {
    return this.begin(layer).done
  }

  /** After the last job is gone: nothing writes into the directory any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#jobs)
    await (await this.#place?.catch(() => undefined))?.dispose()
  }

  async #pathOf(diffId: DiffId): Promise<string> {
    return join((await (this.#place ??= this.#options.place())).path, hexOf(diffId))
  }

  async #write(
    layer: TarToGzip,
    path: Promise<string>,
    growing: SharedArrayBuffer,
    onProgress: (bytes: number) => void,
  ): Promise<GzippedLayer> {
    const { signal } = this.#options
    const target = await path
    return { path: target, ...(await this.#gzip.write(layer, target, { signal, growing, onProgress })) }
  }
}

/** One of them. */
export class GrowingGzip {
  /** When all of it is there. */
  readonly done: Promise<GzippedLayer>
  readonly #path: Promise<string>
  readonly #counter: SharedArrayBuffer
  readonly #counters: BigInt64Array
  readonly #tarBytes: number
  #tarBytesDone = 0

  constructor(
    { tarBytes }: TarToGzip,
    path: Promise<string>,
    counter: SharedArrayBuffer,
    write: (onProgress: (tarBytes: number) => void) => Promise<GzippedLayer>,
  ) {
    this.#path = path
    this.#counter = counter
    this.#counters = new BigInt64Array(counter)
    this.#tarBytes = tarBytes
    this.done = write(bytes => (this.#tarBytesDone = bytes)).then(
      layer => this.#ended(1n, layer),
      error => {
        this.#ended(-1n, undefined)
        throw error
      },
    )
    // Whoever awaits it gets the failure; until then nobody does, and that is no unhandled one.
    this.done.catch(() => undefined)
  }

  /** Waits for its first bytes: until then it may wait for a thread. @throws what the job throws */
  async begun(): Promise<void> {
    await bytesThere(this.#counter, 0, 1, '').catch(() => this.done)
  }

  /** Rejects with what the job has failed with, if it has; does not wait for it. */
  async failure(): Promise<void> {
    if (Atomics.load(this.#counters, 1) === -1n) await this.done
  }

  /** How much of the tar so many bytes of the file are, about. */
  tarBytesAt(bytes: number): number {
    const written = Number(Atomics.load(this.#counters, 0))
    if (Atomics.load(this.#counters, 1) === 1n && bytes >= written) return this.#tarBytes
    return written === 0 ? 0 : Math.floor(this.#tarBytesDone * Math.min(1, bytes / written))
  }

  /**
   * The bytes from an offset on to the end, which may be yet to come. Each chunk is memory of its own. @throws STORE_IO, and an
   * error when the job has failed: what it has failed with, `done` says
   */
  async *read(offset: number): AsyncGenerator<Uint8Array, void, void> {
    const path = await this.#path
    if ((await bytesThere(this.#counter, offset, 1, path)) === 0) return
    const handle = await toldLater('STORE_IO', { operation: 'open', path }, () => open(path))
    try {
      for (let at = offset; ; ) {
        const there = await this.#enough(at, path)
        if (there === 0) return
        const chunk = Buffer.allocUnsafeSlow(there)
        const { bytesRead } = await toldLater('STORE_IO', { operation: 'read', path }, () =>
          handle.read(chunk, 0, there, at),
        )
        if (bytesRead === 0) throw new Error(`${path} ends after ${at} bytes`)
        at += bytesRead
        yield bytesRead === there ? chunk : chunk.subarray(0, bytesRead)
      }
    } finally {
      await handle.close()
    }
  }

  /** Gives its room back before the stage does, once nobody reads it any more. Never fails: what is left goes with the stage. */
  async remove(): Promise<void> {
    await this.done.then(({ path }) => unlink(path)).catch(() => undefined)
  }

  /** How many bytes to read at an offset; 0 at the end. Every one of them by itself would keep the thread busy. */
  async #enough(at: number, path: string): Promise<number> {
    const left = () => Number(Atomics.load(this.#counters, 0)) - at
    while (left() < leastBytes && Atomics.load(this.#counters, 1) === 0n) await sleep(momentMs)
    return bytesThere(this.#counter, at, readBytes, path)
  }

  #ended<T>(state: 1n | -1n, layer: T): T {
    Atomics.store(this.#counters, 1, state)
    Atomics.notify(this.#counters, 0)
    return layer
  }
}
