/**
 * The state of one view: its layers, the tree grown over them, what is open. Every call of the node:fs face is a function over
 * this.
 */
import type fs from 'node:fs'
import { type ByteString, fromText } from '../byte-string.js'
import type { Layer } from '../drivers/layer.js'
import { PhylloError } from '../errors.js'
import type { PathArgument } from './arguments.js'
import { type Dentry, DentryTree, dentryBound, type Standing } from './dentry.js'
import { errnoError } from './errno.js'
import { Handles } from './handles.js'
import { lowersOf } from './lookup.js'
import { Pace } from './pace.js'
import { faultNumber, faultOf, PathCache } from './path-cache.js'
import { locate, type PathFault, type Place, resolve } from './resolve.js'
import { bigStatsOf, makeStats, statFsOf } from './stats.js'

export interface UnionOptions {
  /** Where relative paths begin; `/` by default. Need not exist: relative paths are then ENOENT. */
  readonly cwd?: string
  /** Releases the layers. Called once, when nothing is being read any more. */
  readonly onClose?: () => Promise<void>
  /** What messages call this view. */
  readonly label?: string
}

export class Union {
  /** Top first. */
  readonly lowers: readonly Layer[]
  readonly tree: DentryTree
  readonly handles = new Handles()
  readonly pace = new Pace()
  readonly cwd: ByteString
  readonly label: string
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

  constructor(layers: readonly Layer[], { cwd = '/', onClose = async () => undefined, label = 'view' }: UnionOptions) {
    this.lowers = lowersOf(layers)
    this.tree = new DentryTree(this.lowers, dentryBound, () => this.#forgetPaths())
    this.cwd = fromText(cwd.startsWith('/') ? cwd : `/${cwd}`)
    this.label = label
    this.#onClose = onClose
    this.#inodesBelow = inodesBelow(layers).reverse()
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

  layerOf(dentry: Standing): Layer {
    this.assertOpen()
    return this.lowers[dentry.lower]!
  }

  /** Unique in the view, and the same in every view that has the same layers below. Hard links share it. */
  inodeNumber(dentry: Dentry): number {
    return (this.#inodesBelow[dentry.lower] ?? 0) + dentry.inode + 1
  }

  /** Of directories as on a plain Linux file system: `.`, their own name, and `..` of each child. (overlayfs itself says 1.) */
  linkCount(dentry: Dentry): number {
    return dentry.directory === undefined ? this.tree.attributes(dentry).nlink : 2 + this.tree.subdirectories(dentry)
  }

  stats(dentry: Dentry): fs.Stats {
    return this.statsAt(this.tree.rowOf(dentry))
  }

  /** Of a row that `find` gave just now. */
  statsAt(row: number): fs.Stats {
    const { rows } = this.tree
    const filled = rows.isFilled(row) ? row : this.#fill(this.tree.dentryAt(row))
    return this.#makeStats(rows.words, rows.at(filled), this.dev)
  }

  #fill(dentry: Dentry): number {
    const { tree } = this
    const inode = tree.attributes(dentry)
    // Counting may list a directory, and the tree may then forget: the row is taken after that
    const links = this.linkCount(dentry)
    const row = tree.rowOf(dentry)
    tree.rows.fill(row, inode, this.inodeNumber(dentry), links)
    return row
  }

  bigStats(dentry: Dentry): fs.BigIntStats {
    return bigStatsOf(this.tree.attributes(dentry), this.dev, this.inodeNumber(dentry), this.linkCount(dentry))
  }

  statFs(bigint: boolean): fs.StatsFs | fs.BigIntStatsFs {
    let bytes = 0
    let files = 0
    for (const { tarBytes, inodeCount } of this.lowers) {
      bytes += tarBytes
      files += inodeCount
    }
    return statFsOf(bytes, files, bigint)
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

  /** Idempotent: ends when the reads that are under way have ended and the layers are released. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
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

/** How many inodes the layers below each layer have; base first, as `layers` is. */
function inodesBelow(layers: readonly Layer[]): number[] {
  let below = 0
  return layers.map(layer => {
    const here = below
    below += layer.inodeCount
    return here
  })
}
