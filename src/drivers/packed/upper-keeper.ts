/**
 * When the changes of an upper get to the disk, and what goes once they are there.
 *
 * Invariants:
 * - A hand-over to the kernel that failed is told by `sync` and `close`.
 * - `sync`, `compact` and `close` take turns.
 */
import { inTurnNow } from '../../endings.js'
import type { Sum } from '../../layerfile/format.js'
import type { Change } from '../upper-change.js'
import type { UpperTree } from '../upper-tree.js'
import { Batches } from './batches.js'
import { movesOf, replaceJournal } from './compaction.js'
import type { Holds } from './holds.js'
import type { Journal } from './journal.js'
import type { LargeContents } from './large-contents.js'
import type { Segments } from './segments.js'
import type { StoredContent } from './stored-content.js'
import { Upkeep } from './upkeep.js'
import { closedError } from './upper-errors.js'
import type { UpperFiles } from './upper-files.js'

export interface UpperParts {
  readonly directory: string
  readonly tree: UpperTree
  readonly journal: Journal
  readonly segments: Segments
  readonly large: LargeContents
  readonly files: UpperFiles
  readonly holds: Holds
  readonly sum: Sum
  /** Hands over after every batch, for tests: a frame is a batch then. */
  readonly eager: boolean
  /** The tree tells its changes, and what it lets go of, to this. */
  readonly listener: { record: (change: Change) => void; letGo: (stored: unknown) => void }
}

export class UpperKeeper {
  usedBytes = 0
  readonly #parts: UpperParts
  readonly #batches: Batches
  /** The latest sync may have left files that are held and not needed. */
  #withheld = false
  #turn: Promise<unknown> = Promise.resolve()
  readonly #upkeep: Upkeep
  #closing: Promise<void> | undefined
  #closed = false

  constructor(parts: UpperParts) {
    this.#parts = parts
    this.#batches = new Batches(parts, () => this.#maintain())
    this.#upkeep = new Upkeep(parts.segments, parts.large, this)
    for (const { stored } of parts.tree.nodes()) {
      if (stored === undefined) continue
      const content = stored as StoredContent
      this.usedBytes += content.bytes
      if (content.kind === 'small') parts.segments.count(content)
      else if (content.reach > content.bytes) parts.large.shortened(content)
    }
    parts.listener.record = change => this.#batches.record(change)
    parts.listener.letGo = stored => this.#letGo(stored as StoredContent)
  }

  assertOpen(): void {
    if (this.#closed) throw closedError(this.#parts.directory)
  }

  begin(): void {
    this.assertOpen()
    this.#batches.begin()
  }

  end(): void {
    this.#batches.end()
  }

  /** See `Batches`. */
  overwriting(): void {
    this.#batches.overwriting()
  }

  /** Holds all files that there are, with everything that was done in them. The answer lets go of them. */
  hold(): () => void {
    this.assertOpen()
    this.#batches.handOver()
    const { segments, large, holds } = this.#parts
    const release = holds.take({ segment: segments.last, content: large.last })
    return () => {
      release()
      if (this.#withheld && !holds.any) this.sync().catch(() => undefined)
    }
  }

  contentWritten(): void {
    this.#batches.unsynced = true
  }

  sync(): Promise<void> {
    return this.#inTurn(async () => {
      this.assertOpen()
      await this.#syncNow()
    })
  }

  /** `sync` at once. What is dirty stays so, and a later sync has little to do. */
  syncNow(): void {
    this.assertOpen()
    this.#batches.handOver()
    this.#parts.files.syncNow()
    this.#parts.files.io.syncNow(this.#batches.journal.path)
  }

  compact(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#closed) await this.#compactNow()
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#inTurn(() => this.#closeNow()).catch((error: unknown) => {
      this.#closing = undefined
      throw error
    })
    return this.#closing
  }

  /** What is lost by then is known: no failure of it says anything more. */
  abandon(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#closed) this.#end()
    }).catch(() => undefined)
  }

  #letGo(content: StoredContent): void {
    this.usedBytes -= content.bytes
    if (content.kind === 'small') this.#parts.segments.drop(content)
    else this.#parts.large.drop(content)
  }

  async #syncNow(): Promise<void> {
    const { files, segments, large, holds } = this.#parts
    this.#batches.handOver()
    const isDone = !this.#batches.unsynced && files.dirty.size === 0 && !files.namesDirty
    // A file that was open without a name goes without a record.
    if (isDone && !this.#withheld && large.surplusFiles === 0) return
    const { end } = this.#batches.journal
    const surplus = large.surplus()
    const dead = segments.dead().filter(segment => !holds.segment(segment))
    this.#withheld = holds.any
    this.#batches.unsynced = false
    try {
      await files.sync()
      await this.#batches.journal.sync()
      this.#batches.journal.durable = end
    } catch (error) {
      this.#batches.unsynced = true
      large.keep(surplus)
      throw error
    }
    this.#batches.mark()
    try {
      large.remove(surplus)
      for (const segment of dead) segments.remove(segment)
    } catch {
      // Everything is on the disk. What is too much there is removed by a later sync, or at opening.
      large.keep(surplus)
    }
  }

  async #compactNow(): Promise<void> {
    const { tree, segments, files, sum } = this.#parts
    this.#batches.handOver()
    for (const moves of movesOf(tree, segments)) {
      this.begin()
      try {
        for (const move of moves) move()
      } finally {
        this.end()
      }
      await new Promise(setImmediate)
      if (this.#closed) return
    }
    this.#batches.handOver()
    await replaceJournal({
      ...{ tree, files, sum, old: this.#batches.journal },
      handOver: () => this.#batches.handOver(),
      replaced: next => {
        this.#batches.journal = next
        this.#upkeep.snapshotBytes = next.durable
      },
    })
    this.#batches.unsynced = true
    await this.#syncNow()
  }

  /** What is worth doing in the background. A failure costs space and nothing else. */
  #maintain(): void {
    if (this.#batches.failed || this.#closing !== undefined || this.#parts.holds.any) return
    const { usedEntries } = this.#parts.tree
    this.#upkeep.consider({ journalBytes: this.#batches.journal.end, usedEntries, usedBytes: this.usedBytes })
  }

  async #closeNow(): Promise<void> {
    if (this.#closed) return
    this.#batches.handOver()
    if (this.#parts.large.surplusFiles > 0) await this.#syncNow()
    this.#batches.handOver()
    this.#end()
  }

  /** Every descriptor is let go of, whichever closing fails. */
  #end(): void {
    this.#batches.stop()
    this.#closed = true
    inTurnNow([() => this.#parts.files.close(), () => this.#batches.journal.close()])
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = Promise.allSettled([result])
    return result
  }
}
