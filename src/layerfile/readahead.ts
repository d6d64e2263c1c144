/**
 * Two windows over bytes that are read from front to back in small pieces: one is handed out while the next is being
 * read, so that several blocks are on their way at once. Reads that do not follow each other go past it.
 */
import { KiB, MiB } from '../limits.js'

/** A window is as large as the pieces, within these bounds; larger pieces are read without one. */
const leastWindow = 512 * KiB
const mostWindow = 2 * MiB

interface Window {
  readonly start: number
  readonly bytes: Buffer
  readonly filled: Promise<void>
}

export class Readahead {
  readonly #size: number
  readonly #read: (offset: number, into: Uint8Array) => Promise<void>
  /** Where the next piece begins if the reader goes on as before. */
  #expected = -1
  #windows: Window[] = []

  constructor(size: number, read: (offset: number, into: Uint8Array) => Promise<void>) {
    this.#size = size
    this.#read = read
  }

  /** Fills `into` from `position` on; all of it is before the end. */
  async read(position: number, into: Uint8Array): Promise<void> {
    const follows = position === this.#expected
    this.#expected = position + into.length
    if (!follows || into.length > mostWindow) {
      this.#windows = []
      return this.#read(position, into)
    }
    for (let done = 0; done < into.length; ) {
      const { start, bytes, filled } = this.#windowAt(position + done, Math.max(leastWindow, into.length))
      await filled
      const skip = position + done - start
      const part = bytes.subarray(skip, skip + into.length - done)
      into.set(part, done)
      done += part.length
    }
  }

  /** The window with this byte in it; the one behind it is on its way, too. */
  #windowAt(position: number, windowBytes: number): Window {
    this.#windows = this.#windows.filter(({ start, bytes }) => position < start + bytes.length)
    if (this.#windows[0] === undefined || position < this.#windows[0].start)
      this.#windows = [this.#open(position, windowBytes)]
    const [current] = this.#windows as [Window]
    const next = current.start + current.bytes.length
    if (this.#windows.length === 1 && next < this.#size) this.#windows.push(this.#open(next, windowBytes))
    return current
  }

  #open(start: number, windowBytes: number): Window {
    const bytes = Buffer.allocUnsafeSlow(Math.min(windowBytes, this.#size - start))
    const filled = this.#read(start, bytes)
    filled.catch(() => undefined) // whoever comes to this window is told; nobody may come
    return { start, bytes, filled }
  }
}
