/**
 * Finds the entries of a tar archive that comes in chunks of any size, synchronously, without keeping content.
 *
 * At least as strict as Go's archive/tar, the reader of Docker: what two readers could understand differently is
 * refused, since a scanner and an unpacker that see two different images are an attack.
 *
 * Invariants:
 * - The result does not depend on where the chunks are cut.
 * - No reference to a chunk outlives `push`: partial headers and meta bodies are copied.
 * - Errors that pass through `push` or `end`, those of `onEntry` included, say which entry and where; then the
 *   scanner is dead and throws the same again.
 */
import { type ByteString, printable } from '../byte-string.js'
import { PhylloError, withFacts } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import type { TarEntry } from './entry.js'
import { blockBytes, flag, type Header, isZeroBlock, newHeader, readHeader } from './header.js'
import { isMeta, MetaHeaders } from './meta.js'
import { nameOf, resolveEntry } from './resolve.js'

/** A PAX global header. It says nothing about entries (only comments are accepted), but it is part of the archive. */
export interface TarGlobal {
  /** Of its own header block, usually `pax_global_header`. */
  readonly name: ByteString
  readonly headerOffset: number
  /** Offset just behind its body, before the padding. */
  readonly bodyEnd: number
  /** Offset of what follows it. */
  readonly nextOffset: number
}

export interface TarScannerOptions {
  readonly limits: Limits
  /** Called when the headers of an entry are complete, before its content. */
  onEntry(entry: TarEntry): void
  onGlobal?(global: TarGlobal): void
}

/** Where the next byte belongs, once content and padding (`#content`) have passed. `zero`: one zero block was there. */
type State = 'header' | 'meta' | 'zero' | 'end' | 'closed'

/** Bytes of a name that errors show. */
const shownBytes = 256

const none = '' as ByteString

export class TarScanner {
  readonly #options: TarScannerOptions
  /** The last header block; its name becomes the entry's whole name, for messages. */
  readonly #header: Header = newHeader()
  readonly #meta: MetaHeaders
  /** A header block of which a part has come. */
  readonly #block = Buffer.alloc(blockBytes)
  readonly #blockWords = wordsOf(this.#block)!
  #have = 0
  #state: State = 'header'
  #failure: unknown
  #offset = 0
  #entries = 0
  /** Bytes of content and padding still to come. */
  #content = 0
  /** First header block of the entry at hand. */
  #start = 0

  constructor(options: TarScannerOptions) {
    this.#options = options
    this.#meta = new MetaHeaders(options.limits)
  }

  /** Bytes seen or skipped so far. */
  get offset(): number {
    return this.#offset
  }

  /** Entries so far. */
  get entries(): number {
    return this.#entries
  }

  /** Bytes of content and padding that the next `push` would pass over: `skip` them where the input can seek. */
  get skippable(): number {
    return this.#content
  }

  /** Passes over bytes that are not pushed. The caller vouches for it that the input has them. */
  skip(bytes: number): void {
    if (!(Number.isInteger(bytes) && bytes >= 0 && bytes <= this.#content))
      throw new RangeError(`TarScanner.skip: ${bytes} is not in the range of 0 to ${this.#content}`)
    this.#content -= bytes
    this.#offset += bytes
  }

  /** Throws TAR_INVALID, ENTRY_UNSUPPORTED, METADATA_INVALID, LIMIT_EXCEEDED, and whatever `onEntry` throws. */
  push(chunk: Uint8Array): void {
    this.#refuseUse()
    try {
      this.#scan(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    } catch (error) {
      throw this.#fail(error)
    }
  }

  /** No more bytes will come. An archive may end without its end marker, but nowhere else than between entries. */
  end(): void {
    this.#refuseUse()
    try {
      if (this.#content > 0 || this.#have > 0 || this.#state === 'meta') throw invalid('the archive is truncated')
      this.#refusePending()
    } catch (error) {
      throw this.#fail(error)
    }
    this.#state = 'closed'
  }

  #refuseUse(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#state === 'closed') throw new TypeError('TarScanner: used after end()')
  }

  #fail(error: unknown): unknown {
    const whole = nameOf(this.#header, this.#meta)
    const name = whole.length > shownBytes ? `${printable(whole.slice(0, shownBytes))}...` : printable(whole)
    const where = `tar header at offset ${this.#start}`
    this.#failure =
      name === ''
        ? withFacts(error, { offset: this.#start }, where)
        : withFacts(error, { offset: this.#start, entry: name }, `${name} (${where})`)
    return this.#failure
  }

  #scan(chunk: Buffer): void {
    const words = chunk.length < blockBytes ? undefined : wordsOf(chunk)
    let at = 0
    while (at < chunk.length) {
      const left = chunk.length - at
      if (this.#content > 0) {
        const bytes = Math.min(this.#content, left)
        this.#content -= bytes
        this.#offset += bytes
        at += bytes
      } else if (this.#state === 'meta') at = this.#collectMeta(chunk, at)
      else if (this.#state === 'end') at = this.#passZeros(chunk, at)
      else if (words !== undefined && this.#have === 0 && left >= blockBytes && (at & 3) === 0) {
        this.#offset += blockBytes
        this.#readBlock(chunk, words, at)
        at += blockBytes
      } else at = this.#collectBlock(chunk, at)
    }
  }

  #collectBlock(chunk: Buffer, at: number): number {
    const bytes = Math.min(blockBytes - this.#have, chunk.length - at)
    chunk.copy(this.#block, this.#have, at, at + bytes)
    this.#have += bytes
    this.#offset += bytes
    if (this.#have === blockBytes) {
      this.#have = 0
      this.#readBlock(this.#block, this.#blockWords, 0)
    }
    return at + bytes
  }

  #collectMeta(chunk: Buffer, at: number): number {
    const bytes = Math.min(this.#meta.missing, chunk.length - at)
    this.#offset += bytes
    this.#meta.collect(chunk, at, bytes)
    if (this.#meta.missing === 0) {
      this.#state = 'header'
      this.#content = padded(this.#header.size) - this.#header.size
    }
    return at + bytes
  }

  #passZeros(chunk: Buffer, at: number): number {
    for (let i = at; i < chunk.length; i++) {
      if (chunk[i] === 0) continue
      this.#start = this.#offset + i - at
      throw invalid('bytes that are not zero behind the end of the archive')
    }
    this.#offset += chunk.length - at
    return chunk.length
  }

  /** One complete block; `#offset` is behind it already. */
  #readBlock(block: Buffer, words: Int32Array, at: number): void {
    const header = this.#header
    if (isZeroBlock(block, at)) {
      this.#refusePending()
      this.#state = this.#state === 'zero' ? 'end' : 'zero'
      header.name = none
      return
    }
    if (!this.#meta.pending) this.#start = this.#offset - blockBytes
    if (this.#state === 'zero') throw invalid('a header behind a single block of zeros')
    readHeader(block, words, at, header)
    if (isMeta(header.typeFlag)) this.#startMeta(header)
    else this.#finishEntry(header)
  }

  #finishEntry(header: Header): void {
    const { limits } = this.#options
    const entry = resolveEntry(header, this.#meta, limits, this.#start, this.#offset)
    header.name = entry.name
    this.#meta.clear()
    if (++this.#entries > limits.layerEntries)
      throw limitError('layerEntries', limits.layerEntries, this.#entries, 'entries of one layer')
    this.#content = padded(entry.sizeBytes)
    this.#options.onEntry(entry)
  }

  #startMeta(header: Header): void {
    this.#meta.start(header)
    if (header.typeFlag === flag.paxGlobal) {
      const bodyEnd = this.#offset + header.size
      const nextOffset = this.#offset + padded(header.size)
      this.#options.onGlobal?.({ name: header.name, headerOffset: this.#start, bodyEnd, nextOffset })
    }
    if (header.size > 0) this.#state = 'meta'
    else this.#meta.collect(this.#block, 0, 0)
  }

  #refusePending(): void {
    if (this.#meta.pending) throw invalid('a meta header without an entry that it belongs to')
  }
}

/** The same memory as words, if it is aligned. Blocks that are not are copied, like those that lie in two chunks. */
function wordsOf(bytes: Buffer): Int32Array | undefined {
  return (bytes.byteOffset & 3) === 0 ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2) : undefined
}

function padded(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes
}

function invalid(reason: string): PhylloError {
  return new PhylloError('TAR_INVALID', reason)
}
