/**
 * What writing does to the contents of an upper: small ones are in segments, large ones in files of their own, and a small one
 * that grows becomes a large one. Sizes change here, and each change is told to the tree.
 */
import { fromText } from '../../byte-string.js'
import type { ContentPlace, UpperNode } from '../upper.js'
import type { UpperTree } from '../upper-tree.js'
import { KeptContents } from './kept-contents.js'
import type { LargeContents } from './large-contents.js'
import { PackedDraft } from './packed-draft.js'
import { type Segments, smallBytes } from './segments.js'
import { contentName, type LargeContent, type SmallContent, type StoredContent, segmentName } from './stored-content.js'
import type { UpperFiles } from './upper-files.js'
import type { UpperKeeper, UpperParts } from './upper-keeper.js'

const nothing = new Uint8Array(0)

export class UpperContents {
  readonly large: LargeContents
  readonly #small: Segments
  readonly #files: UpperFiles
  readonly #tree: UpperTree
  readonly #keeper: UpperKeeper
  readonly #kept: KeptContents

  constructor(parts: UpperParts, keeper: UpperKeeper) {
    this.large = parts.large
    this.#tree = parts.tree
    this.#small = parts.segments
    this.#files = parts.files
    this.#keeper = keeper
    this.#kept = new KeptContents(parts)
  }

  get usedBytes(): number {
    return this.#keeper.usedBytes
  }

  offset(node: UpperNode): number {
    const stored = this.#stored(node)
    if (stored === undefined) return 0
    return stored.kind === 'small' ? stored.segment * 2 ** 26 + stored.offset : 2 ** 52 + stored.file
  }

  readSync(node: UpperNode, position: number, into: Uint8Array): number {
    const stored = this.#stored(node)
    if (stored === undefined) return 0
    this.#keeper.assertOpen()
    return stored.kind === 'small' ? this.#small.read(stored, position, into) : this.large.read(stored, position, into)
  }

  async read(node: UpperNode, position: number, into: Uint8Array): Promise<number> {
    const stored = this.#stored(node)
    if (stored?.kind !== 'large') return this.readSync(node, position, into)
    this.#keeper.assertOpen()
    return this.large.readLater(stored, position, into)
  }

  write(node: UpperNode, position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const stored = this.#stored(node)
    const sizeBytes = Math.max(node.sizeBytes, position + bytes.length)
    if (stored?.kind === 'large') return void this.#writeLarge(node, stored, position, bytes, sizeBytes)
    if (sizeBytes > smallBytes) return void this.#grow(node, stored, sizeBytes, position, bytes)
    const content = this.#changing(node, stored)
    const before = content.bytes
    this.#small.write(content, position, bytes)
    this.#told(node, content, before)
  }

  truncate(node: UpperNode, sizeBytes: number): void {
    const stored = this.#stored(node)
    if (stored?.kind === 'large' && sizeBytes > 0) return void this.#resizeLarge(node, stored, sizeBytes)
    if (sizeBytes > smallBytes)
      return void this.#grow(node, stored as SmallContent | undefined, sizeBytes, sizeBytes, nothing)
    const content = this.#changing(node, stored?.kind === 'small' ? stored : undefined)
    const before = content.bytes
    this.#small.resize(content, sizeBytes)
    this.#told(node, content, before)
  }

  adopt(node: UpperNode, draft: PackedDraft): void {
    if (draft.content !== undefined) return void this.#told(node, draft.content, 0)
    const content = this.#small.create()
    if (draft.bytes > 0) this.#small.write(content, 0, draft.small)
    this.#told(node, content, 0)
  }

  /** Of what was handed to the kernel. */
  place(stored: StoredContent): ContentPlace {
    const { bytes } = stored
    return stored.kind === 'small'
      ? { file: fromText(this.#files.path(segmentName(stored.segment))), offset: stored.offset, bytes }
      : { file: fromText(this.#files.path(contentName(stored.file))), offset: 0, bytes }
  }

  isKept(node: UpperNode, position: number): boolean {
    const stored = this.#stored(node)
    return stored?.kind === 'large' && this.#kept.isKept(node, stored, position)
  }

  async copyKept(node: UpperNode): Promise<void> {
    const stored = this.#stored(node)
    if (stored?.kind !== 'large') return
    this.#keeper.assertOpen()
    await this.#kept.copyLater(node, stored, copy => {
      this.#keeper.begin()
      try {
        this.#told(node, copy, 0)
      } finally {
        this.#keeper.end()
      }
    })
  }

  reflinkSync(node: UpperNode): PackedDraft | undefined {
    const stored = this.#stored(node)
    const copy = stored?.kind === 'large' ? this.#kept.copies.reflink(stored) : undefined
    return copy && new PackedDraft(this.large, copy)
  }

  async reflink(node: UpperNode): Promise<PackedDraft | undefined> {
    const stored = this.#stored(node)
    const copy = stored?.kind === 'large' ? await this.#kept.copies.reflinkLater(stored) : undefined
    return copy && new PackedDraft(this.large, copy)
  }

  /** A small content, that is going to change where it is. */
  #changing(node: UpperNode, stored: SmallContent | undefined): SmallContent {
    if (stored !== undefined) this.#tree.keep(node)
    return stored ?? this.#small.create()
  }

  #stored(node: UpperNode): StoredContent | undefined {
    return this.#tree.storedOf(node) as StoredContent | undefined
  }

  /** `before`: what of the content was counted already. */
  #told(node: UpperNode, content: StoredContent, before: number): void {
    this.#keeper.usedBytes += content.bytes - before
    this.#tree.setContent(node, content.bytes, content)
  }

  #writeLarge(node: UpperNode, stored: LargeContent, position: number, bytes: Uint8Array, sizeBytes: number): void {
    const content = this.#own(node, stored, position)
    this.#inPlace(content, position)
    this.large.write(content, position, bytes)
    this.#keeper.contentWritten()
    if (sizeBytes > content.bytes) this.#sized(node, content, sizeBytes)
  }

  #resizeLarge(node: UpperNode, stored: LargeContent, sizeBytes: number): void {
    if (sizeBytes === stored.bytes) return
    const grows = sizeBytes > stored.bytes
    const content = grows ? this.#own(node, stored, stored.bytes) : stored
    if (grows) {
      this.#inPlace(content, content.bytes)
      this.large.extend(content, sizeBytes)
    }
    this.#sized(node, content, sizeBytes)
    this.large.shortened(content)
  }

  /** The content, or a copy of it if a snapshot reads what is going to change. */
  #own(node: UpperNode, content: LargeContent, position: number): LargeContent {
    if (!this.#kept.isKept(node, content, position)) return content
    const copy = this.#kept.copies.copy(content)
    this.#told(node, copy, 0)
    return copy
  }

  #sized(node: UpperNode, content: LargeContent, sizeBytes: number): void {
    this.#tree.keep(node)
    const before = content.bytes
    content.bytes = sizeBytes
    this.#told(node, content, before)
  }

  /** What the journal takes for content is going to change: what happened before must be there first, and this at once. */
  #inPlace(content: LargeContent, position: number): void {
    if (Math.min(position, content.bytes) < content.known) this.#keeper.overwriting()
  }

  /** A small content, or none, becomes a large one. */
  #grow(
    node: UpperNode,
    stored: SmallContent | undefined,
    sizeBytes: number,
    position: number,
    bytes: Uint8Array,
  ): void {
    const old = Buffer.allocUnsafe(stored?.bytes ?? 0)
    if (stored !== undefined) this.#small.read(stored, 0, old)
    const content = this.large.create()
    try {
      if (old.length > 0) this.large.write(content, 0, old)
      content.bytes = old.length
      if (bytes.length > 0) this.large.write(content, position, bytes)
      else this.large.extend(content, sizeBytes)
    } catch (error) {
      this.large.drop(content)
      throw error
    }
    content.bytes = sizeBytes
    this.#told(node, content, 0)
  }
}
