/**
 * Contents of large files, each a file of its own, written in place.
 *
 * Invariants:
 * - A method that throws has changed nothing that counts: what it wrote over is put back.
 * - A file is made shorter, or removed, only when the journal on the disk does not need what goes: until then the bytes behind
 *   the content's end are there, up to `reach`, and count for nothing. So it is while a snapshot reads it.
 */
import { callError } from '../../errors.js'
import type { Holds } from './holds.js'
import { contentName, type LargeContent, largeContent } from './stored-content.js'
import type { UpperFiles } from './upper-files.js'

const zeroBytes = 1 << 20

/** What a file needs no more, once the journal that says so is on the disk. */
export interface Surplus {
  readonly dropped: LargeContent[]
  readonly shortened: ReadonlyMap<LargeContent, number>
}

export class LargeContents {
  readonly #files: UpperFiles
  readonly #holds: Holds
  #next: number
  #dropped: LargeContent[] = []
  readonly #shortened = new Set<LargeContent>()

  constructor(files: UpperFiles, holds: Holds, next: number) {
    this.#files = files
    this.#holds = holds
    this.#next = next
  }

  /** Highest number that has been given. */
  get last(): number {
    return this.#next - 1
  }

  /** Bytes that can be had back. */
  get surplusBytes(): number {
    let bytes = 0
    for (const { file, reach } of this.#dropped) if (!this.#holds.content(file)) bytes += reach
    for (const { file, reach, bytes: wanted } of this.#shortened)
      if (!this.#holds.content(file)) bytes += reach - wanted
    return bytes
  }

  /** Files that can be removed. */
  get surplusFiles(): number {
    return this.#dropped.filter(({ file }) => !this.#holds.content(file)).length
  }

  create(): LargeContent {
    const content = this.unmade()
    this.#files.create(contentName(content.file))
    return content
  }

  /** One whose file is not there yet. */
  unmade(): LargeContent {
    return largeContent(this.#next++)
  }

  /** Nothing but zeros where the file ends before the content does. */
  read(content: LargeContent, position: number, into: Uint8Array): number {
    const count = Math.max(0, Math.min(into.length, content.bytes - position))
    const piece = into.subarray(0, count)
    piece.fill(0, count === 0 ? 0 : this.#files.readSync(contentName(content.file), piece, position))
    return count
  }

  async readLater(content: LargeContent, position: number, into: Uint8Array): Promise<number> {
    const count = Math.max(0, Math.min(into.length, content.bytes - position))
    const piece = into.subarray(0, count)
    if (count > 0) piece.fill(0, await this.#files.read(contentName(content.file), piece, position))
    return count
  }

  /** Writes all of the bytes, zeros before them where there was nothing. The content's size is the caller's to change. */
  write(content: LargeContent, position: number, bytes: Uint8Array): void {
    const name = contentName(content.file)
    const inPlace = Math.max(0, Math.min(content.bytes - position, bytes.length))
    const before = Buffer.allocUnsafe(inPlace)
    if (inPlace > 0) this.read(content, position, before)
    const end = position + bytes.length
    let replacing = false
    try {
      this.#clear(content, position)
      if (inPlace < bytes.length) this.#files.writeSync(name, bytes.subarray(inPlace), position + inPlace)
      replacing = true
      if (inPlace > 0) this.#files.writeSync(name, bytes.subarray(0, inPlace), position)
    } catch (error) {
      if (replacing) this.#putBack(content, position, before, error)
      throw error
    } finally {
      this.#reaches(content, end)
    }
  }

  /** Makes room for a content of so many bytes: zeros. */
  extend(content: LargeContent, sizeBytes: number): void {
    const name = contentName(content.file)
    this.#clear(content, sizeBytes)
    if ((this.#files.bytes(name) ?? 0) < sizeBytes) this.#files.truncateSync(name, sizeBytes)
    this.#reaches(content, sizeBytes)
  }

  /** The content has another size, for which there is room in the file. */
  resized(content: LargeContent, sizeBytes: number): void {
    content.bytes = sizeBytes
    this.shortened(content)
  }

  /** The content may have become shorter than what is in its file. */
  shortened(content: LargeContent): void {
    this.#shortened.add(content)
  }

  drop(content: LargeContent): void {
    this.#shortened.delete(content)
    this.#dropped.push(content)
  }

  /** What there is now, and nobody reads. It comes back by `keep` if the journal does not get to the disk. */
  surplus(): Surplus {
    const isHeld = ({ file }: LargeContent) => this.#holds.content(file)
    const dropped = this.#dropped.filter(content => !isHeld(content))
    this.#dropped = this.#dropped.filter(isHeld)
    // A write reaches behind the end before the end moves there.
    for (const content of this.#shortened) if (content.reach <= content.bytes) this.#shortened.delete(content)
    const shortened = [...this.#shortened].filter(content => !isHeld(content))
    return { dropped, shortened: new Map(shortened.map(content => [content, content.bytes])) }
  }

  keep({ dropped }: Surplus): void {
    this.#dropped.unshift(...dropped)
  }

  /** The journal that does not need it is on the disk. What cannot be removed now stays surplus. */
  remove({ dropped, shortened }: Surplus): void {
    while (dropped.length > 0) {
      this.#files.remove(contentName(dropped.at(-1)!.file))
      dropped.pop()
    }
    for (const [content, bytes] of shortened) {
      if (content.bytes !== bytes || !this.#shortened.has(content)) continue
      this.#files.truncateSync(contentName(content.file), bytes)
      content.reach = bytes
      this.#shortened.delete(content)
    }
  }

  /** Zeros from the content's end to `until`, where something else may be. */
  #clear(content: LargeContent, until: number): void {
    const end = Math.min(until, content.reach)
    if (end <= content.bytes) return
    const zeros = Buffer.alloc(Math.min(zeroBytes, end - content.bytes))
    for (let at = content.bytes; at < end; at += zeros.length) {
      this.#files.writeSync(contentName(content.file), zeros.subarray(0, end - at), at)
    }
  }

  /** A write that fails half way may have written, too. */
  #reaches(content: LargeContent, end: number): void {
    if (end > content.reach) content.reach = end
    if (content.reach > content.bytes) this.#shortened.add(content)
  }

  #putBack(content: LargeContent, position: number, before: Buffer, cause: unknown): void {
    try {
      this.#files.writeSync(contentName(content.file), before, position)
    } catch (second) {
      const path = this.#files.path(contentName(content.file))
      const said = `${path}: write failed, and so did putting back what was there (${String(second)})`
      throw callError('STORE_IO', (cause as Error).cause ?? cause, { operation: 'write', path, said })
    }
  }
}
