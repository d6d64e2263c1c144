/**
 * tar-split's disassembly of a layer: everything of the tar but contents, so that the exact tar can be put together again from the
 * files. JSON lines, byte for byte as Docker writes them (facts: docker-store 6). Whoever scans the layer tells it what passes.
 *
 * Invariants:
 * - All bytes told as `raw` stand in segments, in their order; of those told as `payload` only size and checksum.
 * - Between two entries there is one segment: the padding of the first one's content, then all headers of the second (readers other
 *   than Docker count on it). The end of the archive is one as well, with the padding before it; what follows is cut at 1 MiB.
 * - How the bytes are cut into calls changes nothing. Memory is bounded whatever the layer is like: by `headersMost` for one with
 *   PAX headers of megabytes, by less than 2 MiB for others.
 *
 * What cannot be read again from the file of its name (a name that climbs above the root or that leads through an absolute symlink
 * would make Docker read elsewhere; facts: docker-store 6.8) is told as `entry(name, 0)` and its content as `raw`. The size field of
 * links, devices, directories and fifos is no content: `entry(name, 0)`. A PAX global header is an entry of the name in its block;
 * like that of a file, the padding behind its body belongs to the next segment.
 */
import { isUtf8 } from 'node:buffer'
import { type ByteString, fromText, toBytes } from '../byte-string.js'
import { chunkBytes, KiB, MiB } from '../limits.js'
import { goJson } from '../oci/go-json.js'
import { type Crc64, loadCrc64 } from './crc64.js'
import { blockBytes, isZeroBlock } from './header.js'
import { paddingOf } from './layer-writer.js'
import { isMeta } from './meta.js'

export interface SplitSink {
  /** Bytes of the tar that are no content, in their order: padding, headers, what ends the archive. */
  raw(bytes: Uint8Array): void
  /**
   * The headers of an entry have passed as raw bytes. `payloadBytes`: how much content follows by `payload` and can be read again
   * from the file of this name; 0 for whatever has none, or whose content is told as raw bytes.
   */
  entry(name: ByteString, payloadBytes: number): void
  payload(bytes: Uint8Array): void
}

/** All headers of one entry: under the default limits they are smaller. What is longer is cut. */
const headersMost = 16 * MiB
/** Lines that are handed on together. */
const outputBytes = 256 * KiB
/** Encoded at once: a multiple of 3, so that the pieces join. */
const pieceBytes = 48 * KiB
const endBytes = 2 * blockBytes
/** Printable ASCII that Go's JSON writes as it is. */
const plainName = /^[ !#-%'-;=?-[\]-~]+$/

export class SplitWriter implements SplitSink {
  readonly #write: (bytes: Uint8Array) => void
  readonly #crc: Crc64
  readonly #output = Buffer.allocUnsafeSlow(outputBytes)
  #filled = 0
  #position = 0
  /** The segment at hand: `#have` bytes, the first `#padding` of them behind a content. */
  #segment = Buffer.allocUnsafeSlow(64 * KiB)
  #have = 0
  #padding = 0
  /** Bytes that it may have. */
  #most: number = chunkBytes
  /** The end of the archive has passed. */
  #ended = false
  /** The file whose content passes, and how much of it is still to come. */
  #name: ByteString | undefined
  #sizeBytes = 0
  #missing = 0

  /** `write` gets the lines, some hundred KiB at a time, and takes them before it returns. */
  static async create(write: (lines: Uint8Array) => void): Promise<SplitWriter> {
    return new SplitWriter(write, await loadCrc64())
  }

  private constructor(write: (lines: Uint8Array) => void, crc: Crc64) {
    this.#write = write
    this.#crc = crc
  }

  raw(bytes: Uint8Array): void {
    this.#requireWhole()
    for (let at = 0; at < bytes.length; ) {
      if (this.#have === this.#segment.length || this.#have === this.#most) this.#makeRoom()
      const count = Math.min(this.#segment.length - this.#have, this.#most - this.#have, bytes.length - at)
      this.#segment.set(count === bytes.length ? bytes : bytes.subarray(at, at + count), this.#have)
      this.#have += count
      at += count
    }
  }

  entry(name: ByteString, payloadBytes: number): void {
    this.#requireWhole()
    this.#endSegment()
    this.#padding = 0
    this.#ended = false
    if (payloadBytes === 0) {
      this.#line(`{"type":1,${nameField(name)}"payload":null`)
      return
    }
    this.#crc.init()
    this.#name = name
    this.#sizeBytes = this.#missing = payloadBytes
  }

  payload(bytes: Uint8Array): void {
    if (bytes.length > this.#missing)
      throw new RangeError(`SplitWriter.payload: ${bytes.length} bytes, and ${this.#missing} are missing`)
    if (bytes.length === 0) return
    this.#crc.update(bytes)
    this.#missing -= bytes.length
    if (this.#missing > 0) return
    this.#line(`{"type":1,${nameField(this.#name!)}"size":${this.#sizeBytes},"payload":"${this.#crc.digest()}"`)
    this.#padding = paddingOf(this.#sizeBytes)
  }

  /** The layer has passed. */
  end(): void {
    this.#requireWhole()
    this.#cutAtEnd()
    this.#endSegment()
    this.#flush()
  }

  #requireWhole(): void {
    if (this.#missing > 0) throw new RangeError(`SplitWriter: ${this.#missing} bytes of the content are missing`)
  }

  /** More memory for the segment, or an end to it. */
  #makeRoom(): void {
    if (this.#have < this.#most) this.#grow()
    else if (this.#cutAtEnd()) return
    else if (!this.#ended && this.#most < headersMost && isMeta(this.#segment[this.#padding + 156]!)) {
      this.#most = headersMost
    } else {
      this.#endSegment()
      this.#padding = 0
    }
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(2 * this.#segment.length)
    this.#segment.copy(larger, 0, 0, this.#have)
    this.#segment = larger
  }

  /** A block of zeros where a header could be ends the archive, and the one behind it belongs to it. */
  #cutAtEnd(): boolean {
    const end = this.#padding + endBytes
    if (this.#ended || this.#have < end || !isZeroBlock(this.#segment, this.#padding)) return false
    this.#writeSegment(end)
    this.#segment.copyWithin(0, end, this.#have)
    this.#have -= end
    this.#padding = 0
    this.#ended = true
    return true
  }

  #endSegment(): void {
    if (this.#have > 0) this.#writeSegment(this.#have)
    this.#have = 0
    this.#most = chunkBytes
  }

  #writeSegment(bytes: number): void {
    let start = '{"type":2,"payload":"'
    let at = 0
    for (; bytes - at > pieceBytes; at += pieceBytes) {
      this.#text(start + this.#segment.toString('base64', at, at + pieceBytes))
      start = ''
    }
    this.#line(`${start}${this.#segment.toString('base64', at, bytes)}"`)
  }

  /** The end of a line. */
  #line(text: string): void {
    this.#text(`${text},"position":${this.#position++}}\n`)
  }

  /** One character a byte. */
  #text(text: string): void {
    for (let at = 0; at < text.length; ) {
      if (this.#filled === outputBytes) this.#flush()
      const count = this.#output.write(at === 0 ? text : text.slice(at), this.#filled, 'latin1')
      this.#filled += count
      at += count
    }
  }

  #flush(): void {
    if (this.#filled > 0) this.#write(this.#output.subarray(0, this.#filled))
    this.#filled = 0
  }
}

/** As Go's json.Marshal writes the name; bytes that are no text stand in base64. */
function nameField(name: ByteString): string {
  if (plainName.test(name)) return `"name":"${name}",`
  if (name === '') return ''
  const bytes = toBytes(name)
  return isUtf8(bytes) ? `"name":${fromText(goJson(bytes.toString()))},` : `"name_raw":"${bytes.toString('base64')}",`
}
