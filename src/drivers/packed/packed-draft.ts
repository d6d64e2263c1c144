/** Content that is being copied up: in memory while it is small, else in a file that nothing refers to yet. */
import type { ContentDraft } from '../upper.js'
import type { LargeContents } from './large-contents.js'
import { smallBytes } from './segments.js'
import type { LargeContent } from './stored-content.js'

const startBytes = 4 << 10

export class PackedDraft implements ContentDraft {
  bytes: number
  /** Where it is, if it is not small. */
  content: LargeContent | undefined
  readonly #large: LargeContents
  #buffer = Buffer.alloc(0)

  /** `content`: what it begins with. */
  constructor(large: LargeContents, content?: LargeContent) {
    this.#large = large
    this.content = content
    this.bytes = content?.bytes ?? 0
  }

  get small(): Buffer {
    return this.#buffer.subarray(0, this.bytes)
  }

  /** After a failure the draft is as long as before. */
  append(bytes: Uint8Array): void {
    const end = this.bytes + bytes.length
    if (this.content === undefined && end <= smallBytes) this.#keep(bytes, end)
    else this.#write(bytes)
    this.bytes = end
  }

  /** Zeros that take no place in a file. After a failure the draft is as long as before. */
  extend(sizeBytes: number): void {
    if (sizeBytes <= this.bytes) return
    if (this.content === undefined && sizeBytes <= smallBytes)
      this.#keep(Buffer.alloc(sizeBytes - this.bytes), sizeBytes)
    else {
      const content = this.#inFile()
      this.#large.extend(content, sizeBytes)
      content.bytes = sizeBytes
    }
    this.bytes = sizeBytes
  }

  discard(): void {
    if (this.content !== undefined) this.#large.drop(this.content)
    this.content = undefined
    this.bytes = 0
  }

  #keep(bytes: Uint8Array, end: number): void {
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(startBytes, 2 * this.#buffer.length, end))
      this.small.copy(grown)
      this.#buffer = grown
    }
    this.#buffer.set(bytes, this.bytes)
  }

  #write(bytes: Uint8Array): void {
    const content = this.#inFile()
    this.#large.write(content, this.bytes, bytes)
    content.bytes = this.bytes + bytes.length
  }

  #inFile(): LargeContent {
    if (this.content === undefined) {
      this.content = this.#large.create()
      this.content.bytes = 0
    }
    // The first bytes may have failed to get there before.
    if (this.content.bytes === 0 && this.bytes > 0) {
      this.#large.write(this.content, 0, this.small)
      this.content.bytes = this.bytes
    }
    return this.content
  }
}
