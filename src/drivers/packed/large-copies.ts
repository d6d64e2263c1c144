/**
 * Copies of large contents: by reflink where the host's file system can, else a slice after the other, and slices of nothing but
 * zeros become holes again.
 *
 * Invariant: a copy that fails leaves nothing but a file to be removed.
 */
import { doLater, doNow, type Work, wait } from '../../either-way.js'
import type { LargeContents } from './large-contents.js'
import { contentName, type LargeContent } from './stored-content.js'
import type { UpperFiles } from './upper-files.js'

const sliceBytes = 1 << 20
const zeros = Buffer.alloc(sliceBytes)

export class LargeCopies {
  readonly #files: UpperFiles
  readonly #large: LargeContents

  constructor(files: UpperFiles, large: LargeContents) {
    this.#files = files
    this.#large = large
  }

  /** A content with the bytes that this one has, in a file of its own. */
  copy(content: LargeContent): LargeContent {
    return doNow(this.#copying(content))
  }

  /** The same off the main thread: as many bytes as there are now. The caller sees to it that they stay. */
  copyLater(content: LargeContent): Promise<LargeContent> {
    return doLater(this.#copying(content))
  }

  /** A copy that shares its bytes with the original; undefined where the file system cannot. */
  reflink(content: LargeContent): LargeContent | undefined {
    return doNow(this.#sharing(content))
  }

  reflinkLater(content: LargeContent): Promise<LargeContent | undefined> {
    return doLater(this.#sharing(content))
  }

  *#copying(content: LargeContent): Work<LargeContent> {
    const { bytes } = content
    const shared = yield* this.#sharing(content)
    if (shared !== undefined) return shared
    const copy = this.#large.create()
    const slice = Buffer.allocUnsafe(sliceBytes)
    try {
      for (let done = 0; done < bytes; done += sliceBytes) {
        const at = done
        const count = yield* wait(
          () => this.#large.read(content, at, slice),
          () => this.#large.readLater(content, at, slice),
        )
        this.#write(copy, slice.subarray(0, count), at)
      }
      return this.#whole(copy, bytes)
    } catch (error) {
      this.#large.drop(copy)
      throw error
    }
  }

  *#sharing(content: LargeContent): Work<LargeContent | undefined> {
    const { bytes } = content
    const copy = this.#large.unmade()
    const [from, to] = [contentName(content.file), contentName(copy.file)]
    const shares = yield* wait(
      () => this.#files.reflinkSync(from, to),
      () => this.#files.reflink(from, to),
    )
    return shares ? this.#whole(copy, bytes) : undefined
  }

  #write(copy: LargeContent, bytes: Uint8Array, at: number): void {
    if (zeros.subarray(0, bytes.length).equals(bytes)) return
    this.#files.writeSync(contentName(copy.file), bytes, at)
  }

  /** What lay behind the end of the original is cut off, and what ends with zeros gets them. */
  #whole(copy: LargeContent, bytes: number): LargeContent {
    const name = contentName(copy.file)
    if (this.#files.bytes(name) !== bytes) this.#files.truncateSync(name, bytes)
    copy.bytes = bytes
    copy.reach = bytes
    return copy
  }
}
