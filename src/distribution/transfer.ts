/**
 * One blob on its way into `partial/`: for everybody in this process who wants it, until the last of them has left.
 *
 * Invariants:
 * - Nobody else writes the file meanwhile: it is held from before the first look at it until the last one has left.
 * - Its bytes are those of the blob from the beginning on, as far as anybody knows: whoever reads them hashes them.
 * - What is there when it ends stays, for whoever goes on; nothing stays of bytes that are known to be wrong.
 */

import { GrowingFile } from '../disk/growing-file.js'
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { ByteRange } from '../pool/jobs.js'
import type { Turns } from '../pool/turns.js'
import type { Repository } from '../registry/repository.js'
import type { SharedLoop } from './shared-loop.js'

export type Blob = Pick<Descriptor, 'digest' | 'sizeBytes'>

/** Who wants it, and is told of it. */
export interface Receiver {
  /** Asked when somebody else had the file: whether it is still wanted. */
  isWanted(): Promise<boolean>
  /** It has to wait for others. */
  waits(): void
  /** It has failed in passing, and is tried again in so many seconds. */
  retriesIn(seconds: number): void
  /** So many bytes are there. */
  arrived(bytes: number): void
  /** All of them are. */
  complete(): void
}

export interface TransferParts {
  readonly root: Root
  /** As many go on at once as there are turns. */
  readonly turns: Turns
  /** Of those whose bytes are used before all of them are there: a job that waits for them keeps its thread from others. */
  readonly following: Turns
  readonly loop: SharedLoop
}

/** A job takes about so many bytes of a blob in a millisecond. */
const workBytes = 64 * 1024
/** Gathered into one write: if the process dies, at most twice as many are lost. */
const writeBytes = 512 * 1024
/** Before it is looked how fast they come. */
const sampleBytes = 1024 * 1024

export class Transfer {
  readonly blob: Blob
  readonly #parts: TransferParts
  readonly #repository: Repository
  readonly #receivers = new Set<Receiver>()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  /** Why it ended before it was whole. */
  failure: { readonly error: unknown } | undefined
  /** Bytes that were there before. */
  resumedBytes = 0
  /** Bytes that came. */
  fetchedBytes = 0
  #condemned = false
  #isFollowed = false
  #release: (() => Promise<void>) | undefined
  #ready: (range: ByteRange | undefined) => void = () => undefined
  /** The bytes, as soon as a job that takes them would not have to wait for long; undefined: nobody wants them, or it failed. */
  readonly ready: Promise<ByteRange | undefined>

  constructor(parts: TransferParts, repository: Repository, blob: Blob, first: Receiver) {
    this.#parts = parts
    this.#repository = repository
    this.blob = blob
    this.ready = new Promise(resolve => (this.#ready = resolve))
    this.#receivers.add(first)
    this.#running = this.#run().catch(error => void (this.failure = { error }))
    void this.#running.then(() => this.#ready(undefined))
  }

  get path(): string {
    return this.#parts.root.paths.partial(this.blob.digest)
  }

  /** Whether nobody is left, so that nobody can join. */
  get isOver(): boolean {
    return this.#receivers.size === 0
  }

  /** Whether all of its bytes are there, right or wrong. */
  get isWhole(): boolean {
    return this.resumedBytes + this.fetchedBytes === this.blob.sizeBytes
  }

  join(receiver: Receiver): void {
    this.#receivers.add(receiver)
  }

  /** Settles when nothing more comes; never throws. */
  ended(): Promise<void> {
    return this.#running
  }

  /** Its bytes are wrong: they go with it. */
  condemn(): void {
    this.#condemned = true
  }

  /** The last one ends it. Settles when the file is free, for that one. */
  async leave(receiver: Receiver): Promise<void> {
    this.#receivers.delete(receiver)
    if (!this.isOver) return
    this.#stop.abort(new Error('nobody wants it any more'))
    await this.#running
    if (this.#release === undefined) return
    try {
      const empty = this.resumedBytes + this.fetchedBytes === 0
      if (this.#condemned || empty) await this.#parts.root.discard(this.path)
    } finally {
      await this.#release()
    }
  }

  async #run(): Promise<void> {
    const { turns } = this.#parts
    const { signal } = this.#stop
    // Whoever began it listens in a moment.
    await Promise.resolve()
    if (!turns.isFree) this.#tell(receiver => receiver.waits())
    await turns.take(signal)
    try {
      await this.#arrive(signal)
    } finally {
      turns.next()
      if (this.#isFollowed) this.#parts.following.next()
    }
  }

  async #arrive(signal: AbortSignal): Promise<void> {
    const { root } = this.#parts
    const { sizeBytes } = this.blob
    const { release, waited } = await root.holdNew(this.path, signal)
    this.#release = release
    const found = (await ifThere(root.io.status(this.path)))?.sizeBytes ?? 0
    // More than there should be is no beginning of it.
    this.resumedBytes = found > sizeBytes ? 0 : found
    if (waited && !(await this.#isWanted())) return
    const file = await GrowingFile.takeUp(this.path, this.resumedBytes, writeBytes)
    const range = { path: this.path, offset: 0, sizeBytes, growing: file.counter }
    try {
      await this.#fill(file, range, signal)
      await file.end()
    } catch (error) {
      // Before the job hears of it, whose own failure says nothing.
      this.failure = { error }
      await file.fail()
      throw error
    }
    this.#ready(range)
    this.#tell(receiver => receiver.complete())
  }

  async #fill(file: GrowingFile, range: ByteRange, signal: AbortSignal): Promise<void> {
    const { resumedBytes, blob } = this
    let begun = 0
    const onWait = (seconds: number) => this.#tell(receiver => receiver.retriesIn(seconds))
    for await (const piece of this.#repository.blob(blob, { offset: resumedBytes, verify: false, signal, onWait })) {
      begun ||= performance.now()
      await file.append(piece)
      this.fetchedBytes += piece.length
      signal.throwIfAborted()
      this.#tell(receiver => receiver.arrived(resumedBytes + this.fetchedBytes))
      await this.#parts.loop.after(piece.length)
      if (!this.#isFollowed && this.#isTime(performance.now() - begun)) this.#follow(range)
    }
  }

  #follow(range: ByteRange): void {
    const { following } = this.#parts
    if (!following.isFree) return
    this.#isFollowed = true
    void following.take()
    this.#ready(range)
  }

  /**
   * Whether a job should begin: when the rest will have come by the time that the job gets there. One that waits for a slow network has a
   * thread that others could use.
   */
  #isTime(ms: number): boolean {
    const { resumedBytes, fetchedBytes, blob } = this
    if (fetchedBytes < sampleBytes) return false
    const left = blob.sizeBytes - resumedBytes - fetchedBytes
    return left * workBytes * ms <= blob.sizeBytes * fetchedBytes
  }

  async #isWanted(): Promise<boolean> {
    // Somebody may come while others are asked.
    for (const receiver of this.#receivers) if (await receiver.isWanted()) return true
    return false
  }

  #tell(what: (receiver: Receiver) => void): void {
    for (const receiver of this.#receivers) what(receiver)
  }
}
