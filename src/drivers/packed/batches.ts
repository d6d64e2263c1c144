/**
 * When the changes of an upper get to the kernel: whole batches, contents first, then the frame that speaks of them.
 *
 * Invariants:
 * - Records wait for `waitMs` at most if the event loop turns, and nothing waits if it does not and changes go on.
 * - A hand-over that fails keeps everything and is tried again.
 */
import type { Change } from '../upper-change.js'
import type { Journal } from './journal.js'
import { RecordWriter } from './record-writer.js'
import type { Segments } from './segments.js'
import type { LargeContent, StoredContent } from './stored-content.js'

/** Well below the 50 ms that a kill may cost. */
const waitMs = 20
/** So much goes at once. */
const handOverBytes = 256 << 10
/** With so much in memory that no disk takes, nothing more is begun. */
const mostBytes = 16 << 20

export interface BatchesParts {
  readonly journal: Journal
  readonly segments: Segments
  readonly eager: boolean
}

export class Batches {
  /** Where frames go. */
  journal: Journal
  /** Something may be in the kernel that is not on the disk. */
  unsynced = true
  /** The latest hand-over has failed. */
  failed = false
  readonly #segments: Segments
  readonly #eager: boolean
  /** Told after changes have waited. */
  readonly #waited: () => void
  readonly #records = new RecordWriter()
  /** Number of the frame that is being filled. */
  #frame = 0
  readonly #sized = new Set<LargeContent>()
  #depth = 0
  /** Where the records of the present batch begin. */
  #batch = this.#records.length
  #since = 0
  #now = false
  #timer: NodeJS.Timeout | undefined
  #ended = false

  constructor({ journal, segments, eager }: BatchesParts, waited: () => void) {
    this.journal = journal
    this.#segments = segments
    this.#eager = eager
    this.#waited = waited
  }

  get isEmpty(): boolean {
    return this.#records.isEmpty
  }

  begin(): void {
    if (this.#depth === 0) {
      if (this.failed && this.#waiting > mostBytes) this.handOver()
      this.#batch = this.#records.length
    }
    this.#depth++
  }

  end(): void {
    this.#depth--
    if (this.#depth > 0 || this.#records.isEmpty) return
    if (this.failed) {
      this.#wait()
      return
    }
    const full = this.#now || this.#eager || this.#waiting > handOverBytes
    if (full || performance.now() - this.#since > waitMs) this.#tryHandOver()
    else this.#wait()
  }

  /** Content that the journal on the disk knows is going to be written over. Throws if what came before cannot be handed over. */
  overwriting(): void {
    // Half a batch is never handed over: then the bytes may be there before their batch is.
    if (this.#batch === this.#records.length && !this.#records.isEmpty) this.handOver()
    this.#now = true
  }

  record(change: Change): void {
    if (this.#records.isEmpty) this.#since = performance.now()
    if (change.op === 'content') this.#recordContent(change.id, change.stored as StoredContent)
    else this.#records.change(change)
  }

  /** Contents, then the frame. After a failure everything is as before. */
  handOver(): void {
    if (this.#records.isEmpty || this.#ended) return
    const { length } = this.#records
    try {
      const extent = this.#segments.handOver()
      if (extent !== undefined) this.#records.extent(extent)
      this.journal.append(this.#records.frame())
    } catch (error) {
      this.#records.cut(length)
      this.failed = true
      throw error
    }
    this.#segments.handedOver()
    this.#records.reset()
    this.#batch = this.#records.length
    this.#frame++
    for (const content of this.#sized) content.known = content.bytes
    this.#sized.clear()
    this.#now = false
    this.failed = false
    this.unsynced = true
  }

  /** An empty frame, which says how much is on the disk: the next opening has less to look at. */
  mark(): void {
    if (!this.#records.isEmpty) return
    try {
      this.journal.append(this.#records.frame())
    } catch {
      // Then it has more.
    }
  }

  /** Nothing is handed over any more. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#ended = true
  }

  get #waiting(): number {
    return this.#records.length + this.#segments.waiting
  }

  #recordContent(id: number, content: StoredContent): void {
    // The frame is there as a whole or not at all, so its record of the content can as well be corrected.
    if (content.frame === this.#frame) this.#records.correct(content)
    else {
      this.#records.content(id, content)
      content.frame = this.#frame
      if (content.kind === 'large') this.#sized.add(content)
    }
  }

  #wait(): void {
    if (this.#timer !== undefined || this.#ended) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#tryHandOver()
      this.#waited()
    }, waitMs)
    this.#timer.unref()
  }

  #tryHandOver(): void {
    try {
      this.handOver()
    } catch {
      // Nothing is lost: it is tried again, and whoever waits for it is told.
      this.#wait()
    }
  }
}
