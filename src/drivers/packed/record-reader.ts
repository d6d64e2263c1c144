/** Records of a journal as changes: what record-writer.ts has written. Bytes that are no records throw RangeError. */
import type { ByteString } from '../../byte-string.js'
import type { Xattr } from '../../tar/entry.js'
import type { Time } from '../../tar/numbers.js'
import type { Member } from '../layer.js'
import type { Attributes, NewNode } from '../upper.js'
import type { Change } from '../upper-change.js'
import {
  attributesHas,
  contentFieldBytes,
  createHas,
  ctimeIsMtime,
  type Extent,
  getU64,
  ops,
  viewOf,
} from './journal-format.js'
import { largeContent, type StoredContent, smallContent } from './stored-content.js'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

/** What there is in a frame beside changes. */
export interface Rest {
  readonly extents: readonly Extent[]
  /** Ids below this have been used. */
  readonly next: number
}

/** What reading records has come upon. */
export class Seen {
  /** One object for every large content, however many records speak of it. */
  readonly larges = new Map<number, StoredContent>()
  /** Highest numbers: no later file has one of these, so that no record can mean another file than it was written for. */
  segment = -1
  file = -1
}

/** Each change is told as soon as it is read: nothing is gathered, for a journal may have millions. */
export function readRecords(payload: Buffer, seen: Seen, tell: (change: Change) => void): Rest {
  const reader = new RecordReader(payload, seen)
  reader.all(tell)
  return reader
}

class RecordReader implements Rest {
  readonly extents: Extent[] = []
  next = 0
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #seen: Seen
  #at = 0

  constructor(bytes: Buffer, seen: Seen) {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
    this.#seen = seen
  }

  all(tell: (change: Change) => void): void {
    while (this.#at < this.#bytes.length) {
      const change = this.#record(this.#bytes[this.#at++]!)
      if (change !== undefined) tell(change)
    }
    if (this.#at > this.#bytes.length) throw new RangeError('a record ends behind its frame')
  }

  #record(op: number): Change | undefined {
    if (op === ops.extent) return this.#extent()
    const id = this.#number()
    switch (op) {
      case ops.create:
        return { op: 'create', id, node: this.#node() }
      case ops.place:
        return { op: 'place', directory: id, name: this.#text(), id: this.#number() }
      case ops.remove:
        return { op: 'remove', directory: id, name: this.#text() }
      case ops.whiteout:
        return { op: 'whiteout', directory: id, name: this.#text() }
      case ops.attributes:
        return { op: 'attributes', id, attributes: this.#attributes() }
      case ops.xattrs:
        return { op: 'xattrs', id, xattrs: this.#xattrs() }
      case ops.small:
      case ops.large:
        return this.#content(op, id)
      case ops.next:
        this.next = Math.max(this.next, id)
        return undefined
      default:
        throw new RangeError(`a record of the unknown kind ${op}`)
    }
  }

  #node(): NewNode {
    const has = this.#byte()
    const [mode, uid, gid, atime] = [this.#number(), this.#number(), this.#number(), this.#time()]
    const many = has & createHas.times
    const mtime = many ? this.#time() : atime
    const ctime = many ? this.#time() : atime
    const birthtime = many ? this.#time() : atime
    const node: Mutable<NewNode> = { mode, uid, gid, atime, mtime, ctime, birthtime }
    if (has & createHas.device) {
      node.deviceMajor = this.#number()
      node.deviceMinor = this.#number()
    }
    if (has & createHas.xattrs) node.xattrs = this.#xattrs()
    if (has & createHas.target) node.target = this.#text()
    if (has & createHas.origin) node.origin = this.#member()
    if (has & createHas.lowerContent) node.lowerContent = { ...this.#member(), sizeBytes: this.#number() }
    if (has & createHas.lowers) node.lowers = Array.from({ length: this.#count() }, () => this.#member())
    return node
  }

  #attributes(): Partial<Attributes> {
    const has = this.#byte()
    const attributes: Partial<Mutable<Attributes>> = {}
    if (has & attributesHas.mode) attributes.mode = this.#number()
    if (has & attributesHas.uid) attributes.uid = this.#number()
    if (has & attributesHas.gid) attributes.gid = this.#number()
    if (has & attributesHas.atime) attributes.atime = this.#time()
    if (has & attributesHas.mtime) {
      attributes.mtime = this.#time()
      if (has & ctimeIsMtime) attributes.ctime = attributes.mtime
    }
    if (has & attributesHas.ctime) attributes.ctime = this.#time()
    if (has & attributesHas.birthtime) attributes.birthtime = this.#time()
    return attributes
  }

  #content(op: number, id: number): Change {
    const at = this.#take(contentFieldBytes)
    const number = this.#view.getUint32(at, true)
    const offset = this.#view.getUint32(at + 4, true)
    const sizeBytes = getU64(this.#view, at + 8)
    if (op === ops.small && sizeBytes > 0) this.#seen.segment = Math.max(this.#seen.segment, number)
    if (op === ops.small) return { op: 'content', id, sizeBytes, stored: smallContent(number, offset, sizeBytes) }
    const { larges } = this.#seen
    const stored = larges.get(number) ?? largeContent(number)
    stored.bytes = sizeBytes
    larges.set(number, stored)
    this.#seen.file = Math.max(this.#seen.file, number)
    return { op: 'content', id, sizeBytes, stored }
  }

  #extent(): undefined {
    const at = this.#take(20)
    const word = (index: number) => this.#view.getUint32(at + 4 * index, true)
    this.#seen.segment = Math.max(this.#seen.segment, word(0))
    this.extents.push({ segment: word(0), offset: word(1), bytes: word(2), checksum: [word(3), word(4)] })
  }

  #xattrs(): Xattr[] {
    return Array.from({ length: this.#count() }, () => {
      const name = this.#text()
      const bytes = this.#number()
      const at = this.#take(bytes)
      return { name, value: Buffer.from(this.#bytes.subarray(at, at + bytes)) }
    })
  }

  #member(): Member {
    return { lower: this.#number(), inode: this.#number() }
  }

  /** Of things that take a byte or more each. */
  #count(): number {
    const count = this.#number()
    if (count > this.#bytes.length - this.#at) throw new RangeError('a list ends behind its frame')
    return count
  }

  /** Most are of one byte, and a journal has many: no calls for those. */
  #number(): number {
    const bytes = this.#bytes
    const first = bytes[this.#at++]!
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let scale = 0x80; ; scale *= 0x80) {
      const byte = bytes[this.#at++]
      if (byte === undefined) throw new RangeError('a record ends behind its frame')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  #time(): Time {
    const at = this.#take(12)
    return { sec: this.#view.getFloat64(at, true), nsec: this.#view.getUint32(at + 8, true) }
  }

  #text(): ByteString {
    const length = this.#number()
    const at = this.#take(length)
    return this.#bytes.toString('latin1', at, at + length) as ByteString
  }

  #byte(): number {
    return this.#bytes[this.#at++]!
  }

  #take(bytes: number): number {
    const at = this.#at
    this.#at += bytes
    if (this.#at > this.#bytes.length) throw new RangeError('a record ends behind its frame')
    return at
  }
}
