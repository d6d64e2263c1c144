/**
 * The meta headers (x, g, L, K) before one entry: their bodies, collected over chunks, and what bounds them.
 *
 * Invariants: a body is never larger than `limits.tarMetaBytes`; memory is taken as bytes come, not as a size field
 * claims; of each kind there is at most one before an entry, since readers merge two, or take the first, or the last.
 */
import type { ByteString } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import { parseLongName } from './gnu.js'
import { blockBytes, flag, type Header } from './header.js'
import { checkGlobalPax, type PaxAttributes, parsePax } from './pax.js'

export function isMeta(typeFlag: number): boolean {
  return (
    typeFlag === flag.paxLocal ||
    typeFlag === flag.paxGlobal ||
    typeFlag === flag.gnuLongName ||
    typeFlag === flag.gnuLongLink
  )
}

export class MetaHeaders {
  pax: PaxAttributes | undefined
  longName: ByteString | undefined
  longLink: ByteString | undefined
  /** One of them waits for its entry. */
  pending = false
  readonly #limits: Limits
  #count = 0
  #totalBytes = 0
  #typeFlag = 0
  #size = 0
  /** Used again for every body that comes in pieces. */
  #body: Buffer = Buffer.alloc(0)
  #have = 0

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Takes note of a meta header whose body follows. Throws TAR_INVALID and LIMIT_EXCEEDED. */
  start({ typeFlag, size, sizeUnterminated }: Header): void {
    const { tarMetaBytes, tarMetaHeaders, tarMetaTotalBytes } = this.#limits
    if (sizeUnterminated) throw invalid('the size field is not ended')
    if (size > tarMetaBytes) throw limitError('tarMetaBytes', tarMetaBytes, size, 'bytes of one meta header')
    if (++this.#count > tarMetaHeaders)
      throw limitError('tarMetaHeaders', tarMetaHeaders, this.#count, 'meta headers before one entry')
    this.#totalBytes += size
    if (this.#totalBytes > tarMetaTotalBytes)
      throw limitError('tarMetaTotalBytes', tarMetaTotalBytes, this.#totalBytes, 'bytes of all meta headers')
    if (typeFlag !== flag.paxGlobal) {
      const first =
        typeFlag === flag.paxLocal ? this.pax : typeFlag === flag.gnuLongName ? this.longName : this.longLink
      if (first !== undefined)
        throw invalid(`two meta headers of type ${String.fromCharCode(typeFlag)} before one entry`)
      this.pending = true
    } else if (this.pending) throw invalid('a global header between an entry and its own meta header')
    this.#typeFlag = typeFlag
    this.#size = size
    this.#have = 0
  }

  /** Bytes of the body that are still to come. */
  get missing(): number {
    return this.#size - this.#have
  }

  /** The next `missing` bytes of the body at most, from `at` on; reads the body when it is complete. */
  collect(chunk: Buffer, at: number, bytes: number): void {
    // A body that lies in one chunk is read where it is.
    const whole = bytes === this.#size
    if (!whole) {
      this.#grow(this.#have + bytes)
      chunk.copy(this.#body, this.#have, at, at + bytes)
    }
    this.#have += bytes
    if (this.missing === 0) this.#read(whole ? chunk.subarray(at, at + bytes) : this.#body.subarray(0, this.#size))
  }

  /** Their entry has come. */
  clear(): void {
    this.#count = 0
    if (!this.pending) return
    this.pending = false
    this.pax = undefined
    this.longName = undefined
    this.longLink = undefined
  }

  #read(body: Buffer): void {
    if (this.#typeFlag === flag.paxLocal) this.pax = parsePax(body, this.#limits)
    else if (this.#typeFlag === flag.paxGlobal) checkGlobalPax(body)
    else if (this.#typeFlag === flag.gnuLongName) this.longName = parseLongName(body)
    else this.longLink = parseLongName(body)
  }

  #grow(bytes: number): void {
    if (bytes <= this.#body.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#body.length, 2 * blockBytes))
    this.#body.copy(larger, 0, 0, this.#have)
    this.#body = larger
  }
}

function invalid(reason: string): PhylloError {
  return new PhylloError('TAR_INVALID', reason)
}
