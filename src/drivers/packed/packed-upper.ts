/**
 * The upper of a container of the packed driver: the tree in memory, a journal of its changes, contents in segments and files.
 *
 * Invariants:
 * - What has happened is in the tree, and in records that wait in memory or are in the journal; nothing else is ever there.
 * - The kernel gets contents first, then the frame that speaks of them. A frame holds whole batches.
 * - A method that throws has changed nothing. Names and attributes never fail but for a disk that has long been full.
 */
import type { ByteString } from '../../byte-string.js'
import type { Xattr } from '../../tar/entry.js'
import { TreeMetadata } from '../tree-metadata.js'
import type { Attributes, ContentDraft, NewNode, Upper, UpperNode, UpperSnapshot } from '../upper.js'
import { PackedDraft } from './packed-draft.js'
import type { StoredContent } from './stored-content.js'
import { UpperContents } from './upper-contents.js'
import { UpperKeeper, type UpperParts } from './upper-keeper.js'

export class PackedUpper extends TreeMetadata implements Upper {
  readonly #keeper: UpperKeeper
  readonly #contents: UpperContents

  constructor(parts: UpperParts) {
    super(parts.tree)
    this.#keeper = new UpperKeeper(parts)
    this.#contents = new UpperContents(parts, this.#keeper)
  }

  get usedBytes(): number {
    return this.#contents.usedBytes
  }

  /** Small contents in the order of their segments, then large ones. */
  contentOffset(inode: number): number {
    return this.#contents.offset(this.tree.node(inode))
  }

  readSync(inode: number, position: number, into: Uint8Array): number {
    return this.#contents.readSync(this.tree.node(inode), position, into)
  }

  /** Small contents at once: they are in the page cache nearly always. */
  read(inode: number, position: number, into: Uint8Array): Promise<number> {
    return this.#contents.read(this.tree.node(inode), position, into)
  }

  atomically<T>(changes: () => T): T {
    this.#keeper.begin()
    try {
      return changes()
    } finally {
      this.#keeper.end()
    }
  }

  create(node: NewNode): UpperNode {
    return this.atomically(() => this.tree.create(node))
  }

  place(directory: UpperNode, name: ByteString, node: UpperNode): void {
    this.atomically(() => this.tree.place(directory, name, node))
  }

  remove(directory: UpperNode, name: ByteString): void {
    this.atomically(() => this.tree.remove(directory, name))
  }

  whiteout(directory: UpperNode, name: ByteString): void {
    this.atomically(() => this.tree.whiteout(directory, name))
  }

  setAttributes(node: UpperNode, attributes: Partial<Attributes>): void {
    this.atomically(() => this.tree.setAttributes(node, attributes))
  }

  setXattrs(node: UpperNode, xattrs: readonly Xattr[]): void {
    this.atomically(() => this.tree.setXattrs(node, xattrs))
  }

  hold(node: UpperNode): void {
    this.tree.hold(node)
  }

  release(node: UpperNode): void {
    this.tree.release(node)
  }

  writeSync(node: UpperNode, position: number, bytes: Uint8Array): void {
    this.atomically(() => this.#contents.write(node, position, bytes))
  }

  truncateSync(node: UpperNode, sizeBytes: number): void {
    this.atomically(() => this.#contents.truncate(node, sizeBytes))
  }

  draft(): ContentDraft {
    this.#keeper.assertOpen()
    return new PackedDraft(this.#contents.large)
  }

  adopt(node: UpperNode, draft: ContentDraft): void {
    if (!(draft instanceof PackedDraft)) throw new TypeError('the draft is of another upper')
    this.atomically(() => this.#contents.adopt(node, draft))
  }

  snapshot(): UpperSnapshot {
    const release = this.#keeper.hold()
    return this.tree.snapshot({
      copy: stored => ({ ...(stored as StoredContent) }),
      place: stored => this.#contents.place(stored as StoredContent),
      release,
    })
  }

  isKept(node: UpperNode, position: number): boolean {
    return this.#contents.isKept(node, position)
  }

  copyKept(node: UpperNode): Promise<void> {
    return this.#contents.copyKept(node)
  }

  reflink(node: UpperNode): Promise<ContentDraft | undefined> {
    return this.#contents.reflink(node)
  }

  reflinkSync(node: UpperNode): ContentDraft | undefined {
    return this.#contents.reflinkSync(node)
  }

  sync(): Promise<void> {
    return this.#keeper.sync()
  }

  syncNow(): void {
    this.#keeper.syncNow()
  }

  /** Contents that are mostly dead are moved together, and the journal becomes one of the present state. Happens by itself, too. */
  compact(): Promise<void> {
    this.#keeper.assertOpen()
    return this.#keeper.compact()
  }

  close(): Promise<void> {
    return this.#keeper.close()
  }

  abandon(): Promise<void> {
    return this.#keeper.abandon()
  }
}
