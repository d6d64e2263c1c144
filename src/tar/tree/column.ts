/**
 * Numbers and bytes that grow: what the tree of a layer is kept in while it is built, so that an entry costs bytes and
 * not objects. Capacity grows by half, which bounds what is unused.
 */
export type Numbers = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array
type NumbersOf<T extends Numbers> = { new (length: number): T }

const firstCapacity = 64

/** The next capacity of a table that is full. */
export function grown(capacity: number, needed = capacity + 1): number {
  return Math.max(needed, firstCapacity, capacity + (capacity >>> 1))
}

/** A copy with room for more. Zeros are in the room. */
export function enlarged<T extends Numbers>(values: T, capacity: number): T {
  const larger = new (values.constructor as NumbersOf<T>)(capacity)
  larger.set(values)
  return larger
}

/** Puts an integer into a column of 64-bit ones, two words each: two's complement, low word first. */
export function setInteger(words: Uint32Array, row: number, value: number): void {
  const high = Math.floor(value / 2 ** 32)
  words[2 * row] = value - high * 2 ** 32
  words[2 * row + 1] = high
}

/** An integer that is not negative. */
export function integerAt(words: Uint32Array, row: number): number {
  return words[2 * row]! + words[2 * row + 1]! * 2 ** 32
}

/** An integer that may be negative. */
export function signedAt(words: Uint32Array, row: number): number {
  return words[2 * row]! + (words[2 * row + 1]! | 0) * 2 ** 32
}

/** A list of numbers, for what is not written a million times by a hot loop. */
export class WordList {
  #values = new Uint32Array(firstCapacity)
  length = 0

  at(index: number): number {
    return this.#values[index]!
  }

  push(value: number): void {
    if (this.length === this.#values.length) this.#values = enlarged(this.#values, grown(this.length))
    this.#values[this.length++] = value
  }
}

/** Bytes one after the other; what was added stays where it is. */
export class ByteArena {
  bytes: Buffer = Buffer.allocUnsafeSlow(4096)
  length = 0

  /** Appends the bytes of a ByteString; the answer is where they begin. */
  add(text: string): number {
    const at = this.#reserve(text.length)
    // Names are short: a loop costs less than a call of Buffer's.
    for (let i = 0; i < text.length; i++) this.bytes[at + i] = text.charCodeAt(i)
    return at
  }

  addBytes(bytes: Uint8Array): number {
    const at = this.#reserve(bytes.length)
    this.bytes.set(bytes, at)
    return at
  }

  content(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  #reserve(count: number): number {
    const at = this.length
    if (at + count > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(grown(this.bytes.length, at + count))
      larger.set(this.content())
      this.bytes = larger
    }
    this.length += count
    return at
  }
}
