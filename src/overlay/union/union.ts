/**
 * The state of one view: its layers, the tree grown over them, what is open. Every call of the node:fs face is a function over
 * this.
 */
import type fs from 'node:fs'
import { type ByteString, fromText } from '../../byte-string.js'
import type { Layer, Tree } from '../../drivers/layer.js'
import type { Upper, UpperNode } from '../../drivers/upper.js'
import { PhylloError } from '../../errors.js'
import type { Time } from '../../tar/numbers.js'
import type { PathArgument } from './arguments.js'
import { type Dentry, DentryTree, dentryBound, noInode, type Standing } from './dentry.js'
import { errnoError } from './errno.js'
import { Handles } from './handles.js'
import type { Attempt } from './long-copies.js'
import { lowersOf } from './lookup.js'
import { Notices } from './notices.js'
import { Pace } from './pace.js'
import { faultNumber, faultOf, PathCache } from './path-cache.js'
import { locate, type PathFault, type Place, resolve } from './resolve.js'
import { rowOf } from './stat-rows.js'
import { bigStatsOf, makeStats, type Room, setBigTimes, setTimes, statFsOf } from './stats.js'
import { Turns } from './turns.js'

export interface UnionOptions {
  /** What a container has changed. Without it nothing can be changed. */
  readonly upper?: Upper
  /** Nothing can be changed, although there is an upper. */
  readonly readOnly?: boolean
  /** Whether directories that show something of the layers can be renamed; `exdev` is the kernel's default. Default `copy`. */
  readonly directoryRename?: 'copy' | 'exdev'
  /** Bounds of the upper: EDQUOT beyond. */
  readonly maxBytes?: number
  readonly maxEntries?: number
  /** Whose everything is that is made; default 0:0. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Mode bits that are never set on what is made. Default 0o022. */
  readonly umask?: number
  /** For tests: the clock. */
  readonly now?: () => Time
  /** Where relative paths begin; `/` by default. Need not exist: relative paths are then ENOENT. */
  readonly cwd?: string
  /** Releases the layers. Called once, when nothing is being read any more. */
  readonly onClose?: () => Promise<void>
  /** What messages call this view. */
  readonly label?: string
}

export class Union {
  /** Top first; the upper, if there is one, is the first. */
  readonly trees: readonly Tree[]
  readonly upper: Upper | undefined
  /** Top first, without the upper. */
  readonly lowers: readonly Layer[]
  readonly tree: DentryTree
  readonly handles = new Handles()
  readonly pace = new Pace()
  readonly notices = new Notices()
  readonly turns = new Turns()
  /** While an asynchronous call is being tried: it copies little up (copy-first.ts). */
  attempt: Attempt | undefined
  readonly cwd: ByteString
  readonly label: string
  /** Every change is EROFS. Always so without an upper. */
  readonly readOnly: boolean
  readonly directoryRename: 'copy' | 'exdev'
  readonly maxBytes: number
  readonly maxEntries: number
  readonly owner: { readonly uid: number; readonly gid: number }
  readonly umask: number
  readonly now: () => Time
  /** Over 2^32, where no kernel's device numbers are, so that nobody takes a file of a view for one of the host. */
  readonly dev = 2 ** 32 + Math.floor(Math.random() * 2 ** 20)
  readonly #inodesBelow: readonly number[]
  readonly #makeStats = makeStats()
  readonly #onClose: () => Promise<void>
  readonly #followed = new PathCache()
  readonly #unfollowed = new PathCache()
  #reading = 0
  #quiet: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(layers: readonly Layer[], options: UnionOptions) {
    const { cwd = '/', onClose = async () => undefined, label = 'view', upper } = options
    this.directoryRename = options.directoryRename ?? 'copy'
    this.maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY
    this.maxEntries = options.maxEntries ?? Number.POSITIVE_INFINITY
    this.owner = options.owner ?? { uid: 0, gid: 0 }
    this.umask = options.umask ?? 0o022
    this.now = options.now ?? clock
    this.lowers = lowersOf(layers)
    this.upper = upper
    this.readOnly = upper === undefined || options.readOnly === true
    this.trees = upper === undefined ? this.lowers : [upper, ...this.lowers]
    // What is open in a container has to be the very dentry that a change finds by its path.
    const bound = this.readOnly ? dentryBound : Number.POSITIVE_INFINITY
    this.tree = new DentryTree(this.trees, bound, () => this.#forgetPaths())
    this.cwd = fromText(cwd.startsWith('/') ? cwd : `/${cwd}`)
    this.label = label
    this.#onClose = onClose
    this.#inodesBelow = inodesBelow(layers, upper !== undefined).reverse()
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  assertOpen(): void {
    if (this.closed) throw new PhylloError('STORE_CLOSED', `${this.label} is closed`)
  }

  /**
   * What a path that was asked for before leads to, for one Map look-up: the row of its dentry (`statsAt`), or, below 0, the
   * reason why there is none (`faultOf`).
   */
  find(path: string, follow: boolean): number | undefined {
    return (follow ? this.#followed : this.#unfollowed).get(path)
  }

  /** The slow half of `find`: walks, and remembers. */
  walk({ text, bytes, exact }: PathArgument, follow: boolean): Dentry | PathFault {
    this.assertOpen()
    const found = resolve(this.tree, this.tree.root, this.#absolute(bytes), follow)
    if (exact) {
      const cache = follow ? this.#followed : this.#unfollowed
      cache.set(text, typeof found === 'string' ? faultNumber(found) : this.tree.rowOf(found))
    }
    return found
  }

  lookup(path: PathArgument, follow: boolean): Dentry | PathFault {
    const known = path.exact ? this.find(path.text, follow) : undefined
    if (known === undefined) return this.walk(path, follow)
    return known < 0 ? faultOf(known) : this.tree.dentryAt(known)
  }

  /** The dentry at a path; throws the errno error of `syscall`. */
  at(path: PathArgument, follow: boolean, syscall: string): Dentry {
    const found = this.lookup(path, follow)
    if (typeof found === 'string') throw errnoError(found, syscall, path.text)
    return found
  }

  locate({ bytes }: PathArgument): Place<Dentry> | PathFault {
    this.assertOpen()
    return locate(this.tree, this.tree.root, this.#absolute(bytes))
  }

  treeOf(dentry: Standing): Tree {
    this.assertOpen()
    return this.trees[dentry.lower]!
  }

  /** What a dentry is in the upper; undefined while it is in the layers below. */
  nodeOf(dentry: Standing): UpperNode | undefined {
    return this.upper !== undefined && dentry.lower === 0 ? this.upper.node(dentry.inode) : undefined
  }

  /** To be called when a name has come, gone or moved. */
  namesChanged(): void {
    this.#forgetPaths()
  }

  /** Unique in the view, and the same in every view of the same open layers. Hard links share it. */
  inodeNumber(dentry: Dentry): number {
    const { lower, inode } = this.nodeOf(dentry)?.origin ?? dentry
    return (this.#inodesBelow[lower] ?? 0) + inode + 1
  }

  /** Of directories as on a plain Linux file system: `.`, their own name, and `..` of each child. (overlayfs itself says 1.) */
  linkCount(dentry: Dentry): number {
    return dentry.directory === undefined ? this.tree.attributes(dentry).nlink : 2 + this.tree.subdirectories(dentry)
  }

  stats(dentry: Dentry): fs.Stats {
    if (this.nodeOf(dentry) !== undefined) return this.#statsOfUpper(dentry)
    return this.statsAt(this.tree.rowOf(dentry))
  }

  /** Of a row that `find` gave just now. */
  statsAt(row: number): fs.Stats {
    const { rows } = this.tree
    if (rows.isFilled(row)) return this.#makeStats(rows.words, rows.at(row), this.dev)
    const dentry = this.tree.dentryAt(row)
    return this.nodeOf(dentry) === undefined ? this.#statsOfLower(dentry) : this.#statsOfUpper(dentry)
  }

  #statsOfLower(dentry: Dentry): fs.Stats {
    const { tree } = this
    const inode = tree.attributes(dentry)
    // Counting may list a directory, and the tree may then forget: the row is taken after that
    const links = this.linkCount(dentry)
    const row = tree.rowOf(dentry)
    tree.rows.fill(row, inode, this.inodeNumber(dentry), links)
    return this.#makeStats(tree.rows.words, tree.rows.at(row), this.dev)
  }

  /** What is in the upper may change, and has four times of its own: nothing is kept. */
  #statsOfUpper(dentry: Dentry): fs.Stats {
    const stats = this.#makeStats(
      rowOf(this.tree.attributes(dentry), this.inodeNumber(dentry), this.linkCount(dentry)),
      0,
      this.dev,
    )
    setTimes(stats, this.nodeOf(dentry)!)
    return stats
  }

  bigStats(dentry: Dentry): fs.BigIntStats {
    const stats = bigStatsOf(this.tree.attributes(dentry), this.dev, this.inodeNumber(dentry), this.linkCount(dentry))
    const node = this.nodeOf(dentry)
    if (node !== undefined) setBigTimes(stats, node)
    return stats
  }

  /** Zeros: what watchFile tells of what is not there. */
  noStats(bigint: boolean): fs.Stats | fs.BigIntStats {
    return bigint ? bigStatsOf(noInode, 0, 0, 0) : this.#makeStats(rowOf(noInode, 0, 0), 0, 0)
  }

  statFs(bigint: boolean): fs.StatsFs | fs.BigIntStatsFs {
    let bytes = 0
    let files = 0
    for (const { sizeBytes, inodeCount } of this.lowers) {
      bytes += sizeBytes
      files += inodeCount
    }
    return statFsOf(bytes, files, bigint, this.upper && this.#room(this.upper))
  }

  #room({ usedBytes, usedEntries }: Upper): Room {
    return { maxBytes: this.maxBytes, maxEntries: this.maxEntries, usedBytes, usedEntries }
  }

  /** Counts a read of a layer while it runs: layers are released only when none does. */
  async reading<T>(read: () => Promise<T>): Promise<T> {
    this.assertOpen()
    this.#reading++
    try {
      return await read()
    } finally {
      if (--this.#reading === 0) this.#quiet?.()
    }
  }

  /**
   * Idempotent: ends when the reads that are under way have ended and the layers are released. What was changed and cannot be written
   * keeps it open: closing can be tried again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close().catch((error: unknown) => {
      this.#closing = undefined
      throw error
    })
    return this.#closing
  }

  async #close(): Promise<void> {
    this.handles.clear()
    this.#forgetPaths()
    if (this.#reading > 0) await new Promise<void>(quiet => (this.#quiet = quiet))
    await this.#onClose()
  }

  #forgetPaths(): void {
    this.#followed.clear()
    this.#unfollowed.clear()
  }

  #absolute(path: ByteString): ByteString {
    return path.length === 0 || path.startsWith('/') ? path : (`${this.cwd}/${path}` as ByteString)
  }
}

/** The time, as far below the millisecond as Node tells it. */
function clock(): Time {
  const ms = performance.timeOrigin + performance.now()
  const sec = Math.floor(ms / 1000)
  return { sec, nsec: Math.floor((ms - sec * 1000) * 1e6) }
}

/** Where the inode numbers of each tree begin; base first, as `layers` is, and the upper last. */
function inodesBelow(layers: readonly Layer[], hasUpper: boolean): number[] {
  let below = 0
  const starts = layers.map(layer => {
    const here = below
    below += layer.inodeBound
    return here
  })
  return hasUpper ? [...starts, below] : starts
}
