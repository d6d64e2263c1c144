/**
 * The upper of a container of the overlay2 driver: the tree in memory, and the same tree as the upper directory of an overlay mount
 * (lowers as in `lower`, index=off, redirect_dir=nofollow, metacopy=off), which shows at any moment what the union shows.
 *
 * Invariants:
 * - What is made is made in `work`, whole, before it has a name. Names come and go at the end of a batch (name-changes.ts), so a
 *   method that makes something and fails has changed nothing. Should bringing the names fail, nothing more is taken.
 * - A directory has the opaque mark if the layers have something under its name that it does not merge with.
 * - Times of directories are the tree's, whatever was done in them.
 */

import type { ByteString } from '../../byte-string.js'
import { inTurn } from '../../endings.js'
import { PhylloError } from '../../errors.js'
import type { Xattr } from '../../tar/entry.js'
import { type Tree, WHITEOUT } from '../layer.js'
import type { Attributes, ContentDraft, Lowers, NewNode, Upper, UpperNode, UpperSnapshot } from '../upper.js'
import type { UpperTree } from '../upper-tree.js'
import { Batch } from './batch.js'
import type { ConfinedDirectory } from './confined-directory.js'
import { DirectoryContents } from './directory-contents.js'
import { DirectoryDraft } from './directory-draft.js'
import { DirectoryTree } from './directory-tree.js'
import { directoryType, fileType, typeOf } from './entry-attributes.js'
import type { UpperDisk } from './upper-disk.js'
import type { UpperPlaces } from './upper-places.js'

export interface DirectoryUpperParts {
  readonly tree: UpperTree
  readonly places: UpperPlaces
  readonly disk: UpperDisk
  readonly reading: ConfinedDirectory
  readonly lowers: Lowers
  /** Nothing is written, made or removed. */
  readonly readOnly: boolean
  /** On the thread pool; undefined: only by waiting. */
  readonly syncfs: ((fd: number) => Promise<void>) | undefined
  /** The tree tells what it lets go of to this. */
  readonly listener: { letGo: (stored: unknown) => void }
}

const capability = 'security.capability'

export class DirectoryUpper extends DirectoryTree implements Upper {
  readonly #parts: DirectoryUpperParts
  readonly #contents: DirectoryContents
  #batch: Batch
  #depth = 0
  #failure: unknown
  #closed = false

  constructor(parts: DirectoryUpperParts) {
    const touched = (directories: Iterable<number>) => this.#batch.touched(directories)
    const contents = new DirectoryContents({ ...parts, touched })
    super(parts.tree, contents, parts.readOnly)
    this.#parts = parts
    this.#contents = contents
    this.#batch = new Batch(parts)
    for (const { stored } of parts.tree.nodes())
      if (stored !== undefined) this.#contents.usedBytes += (stored as { readonly bytes: number }).bytes
    parts.listener.letGo = stored => this.#contents.letGo(stored as { id: number; bytes: number; since: number })
  }

  /** Every prefix of what is done at the end is a tree that may be seen: see name-changes.ts. */
  atomically<T>(changes: () => T): T {
    this.#assertChanges()
    this.#depth++
    try {
      return changes()
    } finally {
      if (--this.#depth === 0) this.#end()
    }
  }

  create(node: NewNode): UpperNode {
    return this.atomically(() => {
      const { lowerContent, ...fields } = node
      const { disk, places } = this.#parts
      const path = disk.fresh()
      disk.make(path, fields)
      const made = this.tree.create(fields)
      places.toWork(made.id, path)
      if (typeOf(node.mode) === fileType) this.#fill(made, path, lowerContent)
      this.#batch.times(made)
      return made
    })
  }

  place(directory: UpperNode, name: ByteString, node: UpperNode): void {
    this.atomically(() => {
      this.#assertFits(directory, name)
      this.#batch.name(directory, name)
      this.tree.place(directory, name, node)
      if (typeOf(node.mode) === directoryType) this.#batch.marks(directory, name, node)
    })
  }

  remove(directory: UpperNode, name: ByteString): void {
    this.atomically(() => {
      this.#batch.name(directory, name)
      this.tree.remove(directory, name)
    })
  }

  whiteout(directory: UpperNode, name: ByteString): void {
    this.atomically(() => {
      this.#assertFits(directory, name)
      this.#batch.name(directory, name)
      this.tree.whiteout(directory, name)
    })
  }

  setAttributes(node: UpperNode, attributes: Partial<Attributes>): void {
    this.atomically(() => {
      this.tree.setAttributes(node, attributes)
      this.#batch.attributes(node, attributes)
    })
  }

  setXattrs(node: UpperNode, xattrs: readonly Xattr[]): void {
    this.atomically(() => {
      this.tree.setXattrs(node, xattrs)
      this.#batch.xattrs(node)
    })
  }

  detach(directory: UpperNode): void {
    this.atomically(() => {
      this.tree.detach(directory)
      this.#batch.mark(directory)
      for (const [name, child] of directory.children) if (child === WHITEOUT) this.remove(directory, name)
    })
  }

  hold(node: UpperNode): void {
    this.tree.hold(node)
  }

  release(node: UpperNode): void {
    if (this.#closed || this.#parts.readOnly) return void this.tree.release(node)
    this.#depth++
    try {
      this.#batch.mayGo(node)
      this.tree.release(node)
    } finally {
      if (--this.#depth === 0) this.#end()
    }
  }

  writeSync(node: UpperNode, position: number, bytes: Uint8Array): void {
    this.atomically(() => {
      this.#written(node)
      this.#contents.write(node, position, bytes)
    })
  }

  truncateSync(node: UpperNode, sizeBytes: number): void {
    this.atomically(() => {
      this.#written(node)
      this.#contents.truncate(node, sizeBytes)
    })
  }

  draft(): ContentDraft {
    this.#assertChanges()
    return this.#contents.draft()
  }

  copyOf(layer: Tree, inode: number): Promise<ContentDraft | undefined> {
    this.#assertChanges()
    return this.#contents.copyOf(layer, inode)
  }

  adopt(node: UpperNode, draft: ContentDraft): void {
    if (!(draft instanceof DirectoryDraft)) throw new TypeError('the draft is of another upper')
    this.atomically(() => {
      this.#batch.times(node)
      this.#contents.adopt(node, draft)
    })
  }

  snapshot(): UpperSnapshot {
    this.#assertChanges()
    return this.tree.snapshot(this.#contents.snapshot())
  }

  isKept(node: UpperNode): boolean {
    return this.#contents.isKept(node)
  }

  async copyKept(node: UpperNode): Promise<void> {
    this.#assertChanges()
    await this.#contents.copyKept(node)
    if (!this.#closed && this.#depth === 0) this.#end()
  }

  async reflink(node: UpperNode): Promise<ContentDraft | undefined> {
    return this.reflinkSync(node)
  }

  reflinkSync(node: UpperNode): ContentDraft | undefined {
    this.#assertChanges()
    return this.#contents.reflink(node)
  }

  /** syncfs: of all that stands on the file system of the container. */
  async sync(): Promise<void> {
    this.#assertChanges()
    const { disk, syncfs } = this.#parts
    if (syncfs === undefined) disk.syncNow()
    else await disk.sync(syncfs)
  }

  syncNow(): void {
    this.#assertChanges()
    this.#parts.disk.syncNow()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await inTurn([
      () => this.#parts.reading.close(),
      () => this.#parts.readOnly || this.#parts.disk.clear(),
      () => this.#assertWhole(),
    ])
  }

  async abandon(): Promise<void> {
    await this.close().catch(() => undefined)
  }

  /** What could not be done at all is told by whatever comes next. */
  #assertWhole(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #fill(node: UpperNode, path: ByteString, lowerContent: NewNode['lowerContent']): void {
    try {
      if (lowerContent !== undefined) this.#contents.copyUp(path, lowerContent, lowerContent.sizeBytes)
      this.#contents.told(node, lowerContent?.sizeBytes ?? 0)
    } catch (error) {
      this.release(node)
      throw error
    }
  }

  /** The kernel changes the time, and takes capabilities away. */
  #written(node: UpperNode): void {
    this.#batch.times(node)
    if (node.xattrs.some(({ name }) => name === capability)) this.#batch.xattrs(node)
  }

  #end(): void {
    if (this.#failure !== undefined) return
    const batch = this.#batch
    this.#batch = new Batch(this.#parts)
    try {
      batch.end()
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** The path of a name has to be one that a call takes. */
  #assertFits(directory: UpperNode, name: ByteString): void {
    const { disk, places } = this.#parts
    if (!places.stands(directory.id) && directory !== this.root) return
    const path = places.at({ directory: directory.id, name })
    if (disk.fits(path)) return
    const shown = disk.hostPath(path)
    throw new PhylloError('STORE_IO', `${shown}: too long for a path of the host`, {
      ...{ operation: 'rename', path: shown, errno: 'ENAMETOOLONG' },
    })
  }

  #assertChanges(): void {
    const { directory: path } = this.#parts.disk
    if (this.#parts.readOnly) throw new TypeError('the container was opened for looking')
    if (this.#closed) throw new PhylloError('STORE_CLOSED', `${path}: the container was closed`, { path })
    if (this.#failure !== undefined) throw this.#failure
  }
}
