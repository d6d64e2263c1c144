/**
 * When the changes of an upper get to the kernel, and when to the disk.
 *
 * Invariants:
 * - Records wait for `waitMs` at most if the event loop turns, and nothing waits if it does not and changes go on.
 * - A hand-over that fails keeps everything and is tried again; `sync` and `close` tell it.
 * - `sync`, `compact` and `close` take turns.
 */
import type { Sum } from '../../layerfile/format.js'
import type { Change } from '../upper-change.js'
import type { UpperTree } from '../upper-tree.js'
import { movesOf, replaceJournal } from './compaction.js'
import type { Journal } from './journal.js'
import type { LargeContents } from './large-contents.js'
import { RecordWriter } from './record-writer.js'
import type { Segments } from './segments.js'
import type { LargeContent, StoredContent } from './stored-content.js'
import { Upkeep } from './upkeep.js'
import { closedError } from './upper-errors.js'
import type { UpperFiles } from './upper-files.js'

/** Well below the 50 ms that a kill may cost. */
const waitMs = 20
/** So much goes at once. */
export const handOverBytes = 256 << 10
/** With so much in memory that no disk takes, nothing more is begun. */
const mostBytes = 16 << 20

export interface UpperParts {
  readonly directory: string
  readonly tree: UpperTree
  readonly journal: Journal
  readonly segments: Segments
  readonly large: LargeContents
  readonly files: UpperFiles
  readonly sum: Sum
  /** Hands over after every batch, for tests: a frame is a batch then. */
  readonly eager: boolean
  /** The tree tells its changes, and what it lets go of, to this. */
  readonly listener: { record: (change: Change) => void; letGo: (stored: unknown) => void }
}

export class UpperKeeper {
  usedBytes = 0
  readonly #parts: UpperParts
  #journal: Journal
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
  #failed = false
  #unsynced = true
  #turn: Promise<unknown> = Promise.resolve()
  readonly #upkeep: Upkeep
  #closing: Promise<void> | undefined
  #closed = false

  constructor(parts: UpperParts) {
    this.#parts = parts
    this.#journal = parts.journal
    this.#upkeep = new Upkeep(parts.segments, parts.large, this)
    for (const { stored } of parts.tree.nodes()) {
      if (stored === undefined) continue
      const content = stored as StoredContent
      this.usedBytes += content.bytes
      if (content.kind === 'small') parts.segments.count(content)
      else if (content.reach > content.bytes) parts.large.shortened(content)
    }
    parts.listener.record = change => this.#record(change)
    parts.listener.letGo = stored => this.#letGo(stored as StoredContent)
  }

  assertOpen(): void {
    if (this.#closed) throw closedError(this.#parts.directory)
  }

  begin(): void {
    if (this.#depth === 0) {
      if (this.#closed) throw closedError(this.#parts.directory)
      if (this.#failed && this.#waiting > mostBytes) this.#handOver()
      this.#batch = this.#records.length
    }
    this.#depth++
  }

  end(): void {
    this.#depth--
    if (this.#depth > 0 || this.#records.isEmpty) return
    if (this.#failed) {
      this.#wait()
      return
    }
    const full = this.#now || this.#parts.eager || this.#waiting > handOverBytes
    if (full || performance.now() - this.#since > waitMs) this.#tryHandOver()
    else this.#wait()
  }

  /** Content that the journal on the disk knows is going to be written over. Throws if what came before cannot be handed over. */
  overwriting(): void {
    // Half a batch is never handed over: then the bytes may be there before their batch is.
    if (this.#batch === this.#records.length && !this.#records.isEmpty) this.#handOver()
    this.#now = true
  }

  contentWritten(): void {
    this.#unsynced = true
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
    this.#handOver()
    this.#parts.files.syncNow()
    this.#parts.files.io.syncNow(this.#journal.path)
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

  get #waiting(): number {
    return this.#records.length + this.#parts.segments.waiting
  }

  #record(change: Change): void {
    if (this.#records.isEmpty) this.#since = performance.now()
    if (change.op === 'content') this.#recordContent(change.id, change.stored as StoredContent)
    else this.#records.change(change)
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

  #letGo(content: StoredContent): void {
    this.usedBytes -= content.bytes
    if (content.kind === 'small') this.#parts.segments.drop(content)
    else this.#parts.large.drop(content)
  }

  #wait(): void {
    if (this.#timer !== undefined || this.#closed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#tryHandOver()
      this.#maintain()
    }, waitMs)
    this.#timer.unref()
  }

  #tryHandOver(): void {
    try {
      this.#handOver()
    } catch {
      // Nothing is lost: it is tried again, and whoever waits for it is told.
      this.#wait()
    }
  }

  /** Contents, then the frame. After a failure everything is as before. */
  #handOver(): void {
    if (this.#records.isEmpty || this.#closed) return
    const { segments } = this.#parts
    const { length } = this.#records
    try {
      const extent = segments.handOver()
      if (extent !== undefined) this.#records.extent(extent)
      this.#journal.append(this.#records.frame())
    } catch (error) {
      this.#records.cut(length)
      this.#failed = true
      throw error
    }
    segments.handedOver()
    this.#records.reset()
    this.#batch = this.#records.length
    this.#frame++
    for (const content of this.#sized) content.known = content.bytes
    this.#sized.clear()
    this.#now = false
    this.#failed = false
    this.#unsynced = true
  }

  async #syncNow(): Promise<void> {
    const { files, segments, large } = this.#parts
    this.#handOver()
    if (!this.#unsynced && files.dirty.size === 0 && !files.namesDirty) return
    const { end } = this.#journal
    const surplus = large.surplus()
    const dead = segments.dead()
    this.#unsynced = false
    try {
      await files.sync()
      await this.#journal.sync()
      this.#journal.durable = end
    } catch (error) {
      this.#unsynced = true
      large.keep(surplus)
      throw error
    }
    this.#mark()
    try {
      large.remove(surplus)
      for (const segment of dead) segments.remove(segment)
    } catch {
      // Everything is on the disk. What is too much there is removed by a later sync, or at opening.
      large.keep(surplus)
    }
  }

  /** An empty frame that says how much is on the disk: the next opening has less to look at. */
  #mark(): void {
    if (!this.#records.isEmpty) return
    try {
      this.#journal.append(this.#records.frame())
    } catch {
      // Then it has more.
    }
  }

  async #compactNow(): Promise<void> {
    const { tree, segments, files, sum } = this.#parts
    this.#handOver()
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
    this.#handOver()
    await replaceJournal({
      ...{ tree, files, sum, old: this.#journal },
      handOver: () => this.#handOver(),
      replaced: next => {
        this.#journal = next
        this.#upkeep.snapshotBytes = next.durable
      },
    })
    this.#unsynced = true
    await this.#syncNow()
  }

  /** What is worth doing in the background. A failure costs space and nothing else. */
  #maintain(): void {
    if (this.#failed || this.#closing !== undefined) return
    const { usedEntries } = this.#parts.tree
    this.#upkeep.consider({ journalBytes: this.#journal.end, usedEntries, usedBytes: this.usedBytes })
  }

  async #closeNow(): Promise<void> {
    if (this.#closed) return
    this.#handOver()
    if (this.#parts.large.surplusFiles > 0) await this.#syncNow()
    this.#handOver()
    clearTimeout(this.#timer)
    this.#closed = true
    this.#parts.files.close()
    this.#journal.close()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = Promise.allSettled([result])
    return result
  }
}
