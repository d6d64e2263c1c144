/** Content that is being copied: a file in `work` that no node has yet. */

import type { ByteString } from '../../byte-string.js'
import { inTurnNow } from '../../endings.js'
import type { ContentDraft } from '../upper.js'
import type { UpperDisk } from './upper-disk.js'

export class DirectoryDraft implements ContentDraft {
  readonly path: ByteString
  bytes: number
  readonly #disk: UpperDisk
  #fd: number | undefined

  /** `path`: a file in `work` that has so many bytes. */
  constructor(disk: UpperDisk, path: ByteString, bytes: number) {
    this.#disk = disk
    this.path = path
    this.bytes = bytes
    this.#fd = disk.open(path)
  }

  /** After a failure the draft is as long as before. */
  append(bytes: Uint8Array): void {
    this.#disk.write(this.path, this.#fd!, bytes, this.bytes)
    this.bytes += bytes.length
  }

  /** Zeros that take no place on the disk. */
  extend(sizeBytes: number): void {
    if (sizeBytes <= this.bytes) return
    this.#disk.truncate(this.path, this.#fd!, sizeBytes)
    this.bytes = sizeBytes
  }

  /** The file has its bytes, and is somebody's from now on. */
  finish(): void {
    // An append that failed may have written some
    this.#disk.truncate(this.path, this.#fd!, this.bytes)
    this.#close()
  }

  discard(): void {
    if (this.#fd === undefined) return
    inTurnNow([() => this.#close(), () => this.#disk.unlink(this.path)])
  }

  #close(): void {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) this.#disk.close(this.path, fd)
  }
}
