/** When it is worth while to get space back, without being asked. A failure costs space and nothing else. */
import type { LargeContents } from './large-contents.js'
import type { Segments } from './segments.js'

/** What a node costs in a snapshot, about. */
const nodeBytes = 96
/** A journal is not looked at before it is so long, and is much larger than a snapshot from 4 times its size on. */
const leastJournalBytes = 2 << 20
const muchLarger = 4
/** Dead bytes in segments are as many as those that are wanted, and so many. */
const leastDeadBytes = 16 << 20
/** Files that nobody needs once the journal is on the disk. */
const mostSurplusBytes = 64 << 20
const mostSurplusFiles = 4096

export interface Size {
  readonly journalBytes: number
  readonly usedEntries: number
  readonly usedBytes: number
}

export class Upkeep {
  /** Bytes of the journal when it was nothing but a snapshot, if it was since opening. */
  snapshotBytes = 0
  readonly #segments: Segments
  readonly #large: LargeContents
  readonly #work: { compact(): Promise<void>; sync(): Promise<void> }
  #busy = false
  /** So many bytes more, after it has failed. */
  #patience = 0

  constructor(segments: Segments, large: LargeContents, work: { compact(): Promise<void>; sync(): Promise<void> }) {
    this.#segments = segments
    this.#large = large
    this.#work = work
  }

  /** Starts what is worth while. */
  consider(size: Size): void {
    if (this.#busy) return
    const work = this.#wanted(size)
    if (work === undefined) return
    this.#busy = true
    work().then(
      () => this.#done(0),
      () => this.#done(Math.max(leastDeadBytes, 2 * this.#patience)),
    )
  }

  #wanted({ journalBytes, usedEntries, usedBytes }: Size): (() => Promise<void>) | undefined {
    const snapshot = Math.max(this.snapshotBytes, nodeBytes * usedEntries)
    const isLong = journalBytes > Math.max(leastJournalBytes, muchLarger * snapshot) + this.#patience
    const isSparse = this.#segments.deadBytes > Math.max(leastDeadBytes, usedBytes) + this.#patience
    if (isLong || isSparse) return () => this.#work.compact()
    const { surplusBytes, surplusFiles } = this.#large
    if (surplusBytes > mostSurplusBytes + this.#patience || surplusFiles > mostSurplusFiles)
      return () => this.#work.sync()
    return undefined
  }

  #done(patience: number): void {
    this.#patience = patience
    this.#busy = false
  }
}
