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

/** A list of numbers, for what is not written a million times by a hot loop. */
export class WordList {
  #values = new Uint32Array(firstCapacity)
  length = 0

  get values(): Uint32Array {
    return this.#values.subarray(0, this.length)
  }

  at(index: number): number {
    return this.#values[index]!
  }

  push(value: number): void {
    if (this.length === this.#values.length) this.#values = enlarged(this.#values, grown(this.length))
    this.#values[this.length++] = value
  }

  /** Lets go of the memory. */
  clear(): void {
    this.#values = new Uint32Array(0)
    this.length = 0
  }
}

/** Bytes one after the other; what was added stays where it is. */
export class ByteArena {
  bytes: Buffer = Buffer.allocUnsafeSlow(4096)
  length = 0

  /** Appends the bytes of a ByteString; the answer is where they begin. */
  add(text: string): number {
    const at = this.#reserve(text.length)
    this.bytes.write(text, at, text.length, 'latin1')
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
