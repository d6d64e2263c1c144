/**
 * Changes as bytes of a journal, one behind the other in one growing buffer. Space for the header of the frame is in front.
 *
 * Invariant: a record that is not written yet may be corrected (`correct`), but never grows.
 */
import type { Xattr } from '../../tar/entry.js'
import type { Time } from '../../tar/numbers.js'
import type { Member, Stack } from '../layer.js'
import type { Attributes, NewNode } from '../upper.js'
import type { Change } from '../upper-change.js'
import {
  attributesHas,
  contentFieldBytes,
  createHas,
  ctimeIsMtime,
  type Extent,
  frameHeaderBytes,
  ops,
  putU64,
  viewOf,
} from './journal-format.js'
import type { StoredContent } from './stored-content.js'

const startBytes = 64 << 10
/** A buffer that had to grow beyond this is given back. */
const keepBytes = 4 << 20
/** Most bytes of a number. */
const numberBytes = 8
const timeBytes = 12

const sameTime = (one: Time, other: Time) => one === other || (one.sec === other.sec && one.nsec === other.nsec)

export class RecordWriter {
  /** Where the next record goes. */
  length = frameHeaderBytes
  #bytes = Buffer.allocUnsafeSlow(startBytes)
  #view = viewOf(this.#bytes)

  get isEmpty(): boolean {
    return this.length === frameHeaderBytes
  }

  /** The frame, its header not yet filled in. Valid until the next record. */
  frame(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }

  reset(): void {
    this.length = frameHeaderBytes
    if (this.#bytes.length <= keepBytes) return
    this.#bytes = Buffer.allocUnsafeSlow(startBytes)
    this.#view = viewOf(this.#bytes)
  }

  /** Takes back what was appended since the frame was so long. */
  cut(length: number): void {
    this.length = length
  }

  change(change: Change): void {
    switch (change.op) {
      case 'create':
        this.#create(change.id, change.node)
        break
      case 'place':
        this.#begin(ops.place, change.directory)
        this.#text(change.name)
        this.#number(change.id)
        break
      case 'remove':
      case 'whiteout':
        this.#begin(ops[change.op], change.directory)
        this.#text(change.name)
        break
      case 'attributes':
        this.#attributes(change.id, change.attributes)
        break
      case 'xattrs':
        this.#begin(ops.xattrs, change.id)
        this.#xattrs(change.xattrs)
        break
      case 'content':
        this.content(change.id, change.stored as StoredContent)
    }
  }

  content(id: number, stored: StoredContent): void {
    this.#begin(ops[stored.kind], id)
    this.#room(contentFieldBytes)
    stored.recordAt = this.length
    this.length += contentFieldBytes
    this.correct(stored)
  }

  /** Writes again what the latest record says of a content. */
  correct(stored: StoredContent): void {
    const at = stored.recordAt
    this.#view.setUint32(at, stored.kind === 'small' ? stored.segment : stored.file, true)
    this.#view.setUint32(at + 4, stored.kind === 'small' ? stored.offset : 0, true)
    putU64(this.#view, at + 8, stored.bytes)
  }

  extent({ segment, offset, bytes, checksum }: Extent): void {
    this.#room(21)
    this.#bytes[this.length++] = ops.extent
    for (const word of [segment, offset, bytes, ...checksum]) {
      this.#view.setUint32(this.length, word, true)
      this.length += 4
    }
  }

  /** Ids below this have been used. */
  next(id: number): void {
    this.#begin(ops.next, id)
  }

  #create(id: number, node: NewNode): void {
    const { atime, mtime, ctime, birthtime, deviceMajor, deviceMinor, xattrs, target, origin, lowerContent, lowers } =
      node
    const oneTime = sameTime(atime, mtime) && sameTime(atime, ctime) && sameTime(atime, birthtime)
    let has = oneTime ? 0 : createHas.times
    if (deviceMajor || deviceMinor) has |= createHas.device
    if (xattrs !== undefined && xattrs.length > 0) has |= createHas.xattrs
    if (target) has |= createHas.target
    if (origin !== undefined) has |= createHas.origin
    if (lowerContent !== undefined) has |= createHas.lowerContent
    if (lowers !== undefined && lowers.length > 0) has |= createHas.lowers
    this.#begin(ops.create, id)
    this.#bytes[this.length++] = has
    this.#number(node.mode)
    this.#number(node.uid)
    this.#number(node.gid)
    this.#time(atime)
    if (!oneTime) for (const time of [mtime, ctime, birthtime]) this.#time(time)
    if (has <= createHas.times) return
    if (has & createHas.device) for (const number of [deviceMajor ?? 0, deviceMinor ?? 0]) this.#number(number)
    if (has & createHas.xattrs) this.#xattrs(xattrs!)
    if (has & createHas.target) this.#text(target!)
    if (has & createHas.origin) this.#member(origin!)
    if (has & createHas.lowerContent) {
      this.#member(lowerContent!)
      this.#number(lowerContent!.sizeBytes)
    }
    if (has & createHas.lowers) this.#stack(lowers!)
  }

  #attributes(id: number, attributes: Partial<Attributes>): void {
    const { mode, uid, gid, atime, mtime, ctime, birthtime } = attributes
    let has = 0
    if (mode !== undefined) has |= attributesHas.mode
    if (uid !== undefined) has |= attributesHas.uid
    if (gid !== undefined) has |= attributesHas.gid
    if (atime !== undefined) has |= attributesHas.atime
    if (mtime !== undefined) has |= attributesHas.mtime
    if (ctime !== undefined) has |= mtime !== undefined && sameTime(mtime, ctime) ? ctimeIsMtime : attributesHas.ctime
    if (birthtime !== undefined) has |= attributesHas.birthtime
    this.#begin(ops.attributes, id)
    this.#bytes[this.length++] = has
    if (mode !== undefined) this.#number(mode)
    if (uid !== undefined) this.#number(uid)
    if (gid !== undefined) this.#number(gid)
    if (atime !== undefined) this.#time(atime)
    if (mtime !== undefined) this.#time(mtime)
    if (has & attributesHas.ctime) this.#time(ctime!)
    if (birthtime !== undefined) this.#time(birthtime)
  }

  #xattrs(xattrs: readonly Xattr[]): void {
    this.#number(xattrs.length)
    for (const { name, value } of xattrs) {
      this.#text(name)
      this.#number(value.length)
      this.#room(value.length)
      this.#bytes.set(value, this.length)
      this.length += value.length
    }
  }

  #stack(stack: Stack): void {
    this.#number(stack.length)
    for (const member of stack) this.#member(member)
  }

  #member({ lower, inode }: Member): void {
    this.#number(lower)
    this.#number(inode)
  }

  /** Leaves room for one byte behind the id. */
  #begin(op: number, id: number): void {
    this.#room(2 + numberBytes)
    this.#bytes[this.length++] = op
    this.#number(id)
    this.#room(1)
  }

  /** Seven bits a byte, the lowest first; all bytes but the last have their highest bit set. */
  #number(value: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`${value} is no number of a record`)
    this.#room(numberBytes)
    let rest = value
    while (rest > 0x7f) {
      this.#bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.length++] = rest
  }

  #time({ sec, nsec }: Time): void {
    this.#room(timeBytes)
    this.#view.setFloat64(this.length, sec, true)
    this.#view.setUint32(this.length + 8, nsec, true)
    this.length += timeBytes
  }

  #text(text: string): void {
    const { length } = text
    this.#number(length)
    this.#room(length)
    // A call into Buffer costs more than a short loop.
    if (length > 32) this.#bytes.write(text, this.length, 'latin1')
    else for (let i = 0; i < length; i++) this.#bytes[this.length + i] = text.charCodeAt(i)
    this.length += length
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.length + bytes))
    this.#bytes.copy(grown, 0, 0, this.length)
    this.#bytes = grown
    this.#view = viewOf(grown)
  }
}
