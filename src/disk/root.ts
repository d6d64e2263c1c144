/**
 * An open store directory. It knows paths, locks, owners, stages and publishing, and nothing of layers or images: those
 * are built on it, and touch the disk through it alone.
 *
 * Invariant: a root that is open for reading only never writes a byte; every method that would says STORE_READ_ONLY
 * (or STORE_VERSION, when that is the reason).
 */
import { dirname } from 'node:path'
import { inTurn } from '../endings.js'
import { PhylloError } from '../errors.js'
import * as commit from './commit.js'
import { assertNoDaemon } from './daemon.js'
import { abandonIntent, freeIntents, type Intent, type WrittenIntent, writeIntent } from './intent.js'
import type { Io } from './io.js'
import { emptyLease, type Lease, type Leased, readLeases, writeLease } from './lease.js'
import { condemn, inLimbo, restore, setAside } from './limbo.js'
import { type Held, holdNew, letGo, tryHold, withLockFile } from './lock.js'
import type { StorePaths } from './paths.js'
import { keep, placeFor, quarantine } from './quarantine.js'
import { type Leavings, leavingsOfDead, reapDeadOwners, releaseOwned } from './reap.js'
import { Reserve } from './reserve.js'
import type { Life, ReadOnly, RootParts, Writing } from './root-parts.js'
import { createStage, type Stage } from './stage.js'
import { emptyTrash, moveToTrash } from './trash.js'

export class Root {
  readonly paths: StorePaths
  readonly durability: commit.Durability
  /** Why the store is open for reading only; undefined when it is open for writing. */
  readonly readOnlyReason: string | undefined
  /** For reading, and for what is neither a read nor a publication; publishing goes through the methods below. */
  readonly io: Io
  /** The same root for work that frees room: where there is none, whatever it does takes what the reserve holds. */
  readonly freeing: Root
  readonly #mode: Writing | ReadOnly
  readonly #reserve: Reserve
  readonly #life: Life

  constructor(parts: RootParts, shared?: Life) {
    const { io, paths, durability, mode, reserve = new Reserve(io, paths) } = parts
    this.io = io
    this.paths = paths
    this.durability = durability
    this.#mode = mode
    this.readOnlyReason = 'reason' in mode ? mode.reason : undefined
    this.#reserve = reserve
    this.#life = shared ?? { sweeping: Promise.resolve(), closing: undefined, ended: false }
    this.freeing = shared === undefined ? new Root({ ...parts, reserve, io: reserve.io }, this.#life) : this
  }

  /** @throws STORE_READ_ONLY, STORE_VERSION, STORE_CLOSED */
  assertWritable(): void {
    this.#writing()
  }

  /** Runs a read-modify-write while nobody else does one. Not reentrant, and nothing long belongs here. @throws STORE_BUSY */
  withLock<T>(work: () => Promise<T>): Promise<T> {
    return this.#locked(this.#writing(), this.paths.lock, work)
  }

  /** Runs a collection while nobody else runs one. Readers and adders are not held up. */
  withCollectLock<T>(work: () => Promise<T>): Promise<T> {
    return this.#locked(this.#writing(), this.paths.collectLock, work)
  }

  async stage(): Promise<Stage> {
    const { owner } = this.#writing()
    await this.settleRemains()
    return createStage(this, owner, this.freeing)
  }

  /** See commit.publishFile: content-named files; false when somebody was first. Not under withLock. */
  async publishFile(staged: string, final: string, mode: number): Promise<boolean> {
    return commit.publishFile(await this.#commit(), staged, final, mode)
  }

  /** See commit.publishBytes: content-named files; false when somebody was first. Not under withLock. */
  async publishBytes(final: string, bytes: Uint8Array | string, mode: number): Promise<boolean> {
    return commit.publishBytes(await this.#commit(), final, bytes, mode)
  }

  /** See commit.publishDirectory; false when somebody was first. */
  async publishDirectory(staged: string, final: string): Promise<boolean> {
    return commit.publishDirectory(await this.#commit(), staged, final)
  }

  /** See commit.replaceFile: files that are rewritten as a whole. */
  async replaceFile(final: string, bytes: Uint8Array | string, mode: number): Promise<void> {
    return commit.replaceFile(await this.#commit(), final, bytes, mode)
  }

  /** For a repair alone: see commit.replaceWithFile and quarantine.ts. */
  async replaceWithFile(staged: string, final: string, mode: number): Promise<void> {
    return commit.replaceWithFile(await this.#commit(), staged, final, mode)
  }

  async quarantine(path: string): Promise<string | undefined> {
    return quarantine(await this.#commit(), path)
  }

  async quarantineFor(path: string): Promise<string> {
    return placeFor(await this.#commit(), path)
  }

  /** Before it is replaced. */
  async keep(path: string): Promise<string | undefined> {
    return keep(await this.#commit(), path)
  }

  /** Writes a new file into a stage, so durable that its directory may be published. */
  writeStaged(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
    this.assertWritable()
    return this.io.writeNew(path, bytes, mode, this.durability === 'full')
  }

  /** fsync of a file or directory of the store, if it is a durable one. */
  flush(path: string): Promise<void> {
    this.assertWritable()
    return commit.flush(this, path)
  }

  /** Takes a file or directory out of the store and deletes it. False when it was not there. */
  async discard(path: string): Promise<boolean> {
    const trashed = await moveToTrash(this.freeing, this.#writing().owner, path)
    if (trashed !== undefined) await this.freeing.io.deleteTree(trashed)
    return trashed !== undefined
  }

  /** Takes a file or directory out of the store; answers where its bytes are now, undefined when it was not there. */
  toTrash(path: string): Promise<string | undefined> {
    return moveToTrash(this.freeing, this.#writing().owner, path)
  }

  /** See lock.ts. */
  tryHold(path: string): Promise<(() => Promise<void>) | undefined> {
    return tryHold(this.io, this.#writing().flock, path)
  }

  /** See lock.ts. Directories that are missing are made. */
  async holdNew(path: string, signal: AbortSignal): Promise<Held> {
    await commit.makeParents(await this.#commit(), dirname(path))
    return holdNew(this.io, this.#writing().flock, path, signal)
  }

  /** Before looking; to be kept until the tag is there. On a full disk, too; nothing when read-only. See lease.ts. */
  async lease(leased: Leased): Promise<Lease> {
    if (this.readOnlyReason !== undefined) return emptyLease(leased)
    const { owner } = this.#writing()
    await this.settleRemains()
    return writeLease(this.freeing, owner, leased)
  }

  /** Everything leased by anybody. Read it before the references. */
  async readLeases(): Promise<Leased> {
    await this.settleRemains()
    return readLeases(this)
  }

  /** Tries again to take away, and to put back, what this process could not. See remains.ts. */
  async settleRemains(): Promise<void> {
    if ('owner' in this.#mode && !this.#life.ended) await this.#mode.owner.remains.again()
  }

  /** Looks whether a dockerd has come to use this root, which would not see what we write. @throws STORE_BUSY */
  async assertAlone(): Promise<void> {
    await assertNoDaemon(this, this.#writing().flock)
  }

  /** See intent.ts. */
  intend(intent: Intent): Promise<string> {
    return writeIntent(this, this.#writing().owner, intent)
  }

  /** After a failure. See intent.ts. */
  abandonIntent(path: string): Promise<void> {
    return this.settle(() => abandonIntent(this, path))
  }

  /** Takes the step, which may be taken twice, now or else later. See remains.ts. */
  settle(step: () => Promise<unknown>): Promise<void> {
    return this.#writing().owner.remains.settle(step)
  }

  /** What nobody who lives is about to make or to take away. See intent.ts. */
  freeIntents(): Promise<WrittenIntent[]> {
    return this.withLock(() => this.freeIntentsLocked())
  }

  /** The same for whoever holds the root lock already. */
  freeIntentsLocked(): Promise<WrittenIntent[]> {
    const { flock, owner } = this.#writing()
    return freeIntents(this, flock, owner)
  }

  /** See limbo.ts. */
  setAside(path: string): Promise<string | undefined> {
    return setAside(this.freeing, this.#writing().owner, path)
  }

  restore(inLimbo: string): Promise<void> {
    return restore(this.freeing, this.#writing().owner, inLimbo)
  }

  /** After a failure: all of them, in this order; what cannot be put back now is later. */
  async restoreAll(inLimbo: readonly string[]): Promise<void> {
    for (const name of inLimbo) await this.settle(() => this.restore(name))
  }

  condemn(inLimbo: string): Promise<boolean> {
    return condemn(this.freeing, this.#writing().owner, inLimbo)
  }

  inLimbo(path: string): Promise<string[]> {
    return inLimbo(this, path)
  }

  /** Frees what dead owners have left, for the next sweep. Answers whether there may be more. */
  reap(): Promise<boolean> {
    const { flock, owner } = this.#writing()
    return this.withLock(() => reapDeadOwners(this.freeing, flock, owner))
  }

  /** What dead owners have left, for a collector; what they held in limbo goes back to its place. */
  leavings(): Promise<Leavings> {
    const { flock, owner } = this.#writing()
    return this.withLock(() => leavingsOfDead(this.freeing, flock, owner))
  }

  /** Settles when no sweep of this store runs. */
  swept(): Promise<void> {
    return this.#life.sweeping.catch(() => undefined)
  }

  /** Deletes what is in the trash by now; close() and the signal end it early. One sweep at a time, in their order. */
  sweep(signal?: AbortSignal): Promise<void> {
    this.assertWritable()
    const stopped = () => this.#life.closing !== undefined || signal?.aborted === true
    this.#life.sweeping = this.swept().then(() => emptyTrash(this.freeing, stopped))
    return this.#life.sweeping
  }

  /** Idempotent. Leases and stages that are still there are released and deleted. */
  close(): Promise<void> {
    this.#life.closing ??= this.#close()
    return this.#life.closing
  }

  async #close(): Promise<void> {
    const mode = this.#mode
    this.#life.ended = 'reason' in mode
    if ('reason' in mode) return
    const { owner } = mode
    const release = () => {
      this.#life.ended = true
      return releaseOwned(this.freeing, owner)
    }
    const refill = () => this.#reserve.end()
    await inTurn([
      () => owner.remains.again(),
      () => this.#life.sweeping,
      release,
      refill,
      () => letGo(this.io, owner.fd),
    ])
  }

  #writing(): Writing {
    if (this.#life.ended) throw new PhylloError('STORE_CLOSED', `${this.paths.root} is closed`)
    if (!('reason' in this.#mode)) return this.#mode
    const { code, reason } = this.#mode
    throw new PhylloError(code, `${this.paths.root} is open for reading only: ${reason}`, { path: this.paths.root })
  }

  #locked<T>({ flock, lockTimeoutMs }: Writing, path: string, work: () => Promise<T>): Promise<T> {
    return withLockFile(path, { io: this.io, flock, timeoutMs: lockTimeoutMs }, work)
  }

  async #commit(): Promise<commit.CommitContext> {
    const { owner } = this.#writing()
    await this.assertAlone()
    const { io, paths, durability } = this
    return { io, paths, durability, owner, exclusively: work => this.withLock(work) }
  }
}
