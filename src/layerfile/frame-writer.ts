/** Writes blocks behind the frame's header, in the order in which they come, and notes where each of them lies. */

import type { ReadyBlock } from '../compression/block-ring.js'
import { BlockRows } from './block-rows.js'
import { writeAllSync } from './file-io.js'
import { endMarkBytes, frameHeaderBytes, lengthBytes, storedBit } from './frame.js'

export class FrameWriter {
  readonly rows = new BlockRows()
  readonly #fd: number
  readonly #path: string
  #contentOffset = 0
  #position = frameHeaderBytes

  constructor(fd: number, path: string) {
    this.#fd = fd
    this.#path = path
  }

  /** Many blocks with one call. Throws STORE_IO. */
  write(blocks: readonly ReadyBlock[]): void {
    const lengths = new Uint32Array(blocks.length)
    const buffers: Uint8Array[] = []
    const from = this.#position
    for (const [i, { ready, contentBytes, checksum }] of blocks.entries()) {
      const bytes = ready.length
      lengths[i] = bytes === contentBytes ? storedBit | bytes : bytes
      buffers.push(new Uint8Array(lengths.buffer, lengthBytes * i, lengthBytes), ready)
      this.rows.add(this.#contentOffset, this.#position, checksum[0], checksum[1])
      this.#position += lengthBytes + bytes
      this.#contentOffset += contentBytes
    }
    writeAllSync(this.#fd, buffers, from, this.#path)
  }

  /** Writes the end mark; the answer is the offset behind the frame. */
  end(): number {
    this.rows.add(this.#contentOffset, this.#position, 0, 0)
    writeAllSync(this.#fd, [new Uint8Array(endMarkBytes)], this.#position, this.#path)
    return this.#position + endMarkBytes
  }
}
