/**
 * Reads the lines of tar-split (facts: docker-store 6.1, 6.2), synchronously, as they come in chunks: ours, those of a real dockerd,
 * and damaged ones, which are refused. Keys that are not known and positions count for nothing, as in Docker.
 *
 * Invariants: no line is longer than `lineMost`, and memory is taken as bytes come; what is answered does not depend on where the
 * chunks are cut.
 */
import { type ByteString, byteString, fromText } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import { KiB, MiB } from '../limits.js'
import { crcOfNothing } from './crc64.js'
import { blockBytes, isHeaderOnly } from './header.js'

/** Bytes of the tar as they are. */
export interface SplitSegment {
  readonly type: 'segment'
  readonly sizeBytes: number
  /** They stand there until the next part is asked for. Throws STORE_CORRUPT; who only counts is spared the decoding. */
  readonly bytes: Buffer
}

export interface SplitFile {
  readonly type: 'file'
  /** As in the archive. */
  readonly name: ByteString
  /** Content that stands in the tar here: 0 for links, devices, directories and fifos, whatever size was recorded. */
  readonly sizeBytes: number
  /** As tar/crc64.ts gives it; of a file without content empty. */
  readonly crc: string
}

export type SplitPart = SplitSegment | SplitFile

/** Under the default limits all headers of one entry are less than 9 MiB, and what we and Docker write is less than 22 MiB in base64. */
const lineMost = 32 * MiB
const newline = 0x0a
const quote = 0x22
const backslash = 0x5c
const padding = 0x3d
const crcBytes = 8

export class SplitReader {
  readonly #path: string
  /** The beginning of a line that is not complete. */
  #line = Buffer.allocUnsafeSlow(64 * KiB)
  #have = 0
  #lines = 0
  #segment = Buffer.allocUnsafeSlow(64 * KiB)
  /** Type flag of the last header block that has passed; undefined where the last segment was none. */
  #typeFlag: number | undefined

  /** `path` is for messages. */
  constructor(path: string) {
    this.#path = path
  }

  /** The parts whose lines are complete. Throws STORE_CORRUPT. */
  *push(chunk: Uint8Array): Generator<SplitPart, void, void> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let at = 0
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, at)) {
      if (this.#have === 0) yield this.#parse(bytes, at, end)
      else {
        this.#keep(bytes.subarray(at, end))
        const length = this.#have
        this.#have = 0
        yield this.#parse(this.#line, 0, length)
      }
      at = end + 1
    }
    this.#keep(bytes.subarray(at))
  }

  /** The last line ends, too, in what Docker and we write: one that does not was cut off. Throws STORE_CORRUPT. */
  end(): void {
    if (this.#have > 0) throw this.#corrupt('the last line is cut off')
  }

  #keep(bytes: Buffer): void {
    const need = this.#have + bytes.length
    if (need > lineMost) throw this.#corrupt(`a line of more than ${lineMost} bytes`)
    if (need > this.#line.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(need, Math.min(2 * this.#line.length, lineMost)))
      this.#line.copy(larger, 0, 0, this.#have)
      this.#line = larger
    }
    bytes.copy(this.#line, this.#have)
    this.#have = need
  }

  #parse(bytes: Buffer, from: number, to: number): SplitPart {
    this.#lines++
    const plain = plainPayload(bytes, from, to)
    if (plain !== undefined) return this.#segmentOf(plain)
    const file = to - from <= plainFileMost && plainFile.exec(bytes.toString('latin1', from, to))
    if (file) return this.#file(file[1] as ByteString, Number(file[2] ?? 0), file[3])
    const line = this.#object(bytes.toString('utf8', from, to))
    if (line.type === 2) return this.#parsedSegment(line)
    if (line.type === 1) return this.#fileOf(line)
    throw this.#corrupt('a type that is neither a file nor a segment')
  }

  #object(text: string): Record<string, unknown> {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      throw this.#corrupt('not JSON', cause)
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    throw this.#corrupt('not an object')
  }

  #parsedSegment({ payload }: Record<string, unknown>): SplitSegment {
    if (typeof payload !== 'string') throw this.#corrupt('a segment without bytes')
    return this.#segmentOf(Buffer.from(payload))
  }

  #segmentOf(payload: Buffer): SplitSegment {
    const sizeBytes = base64Bytes(payload)
    if (sizeBytes === undefined) throw this.#corrupt('a segment that is not base64')
    this.#typeFlag = sizeBytes >= blockBytes ? byteAt(payload, sizeBytes - blockBytes + 156) : undefined
    return new Segment(sizeBytes, () => this.#decode(payload.toString('latin1'), sizeBytes))
  }

  #decode(payload: string, sizeBytes: number): Buffer {
    if (sizeBytes > this.#segment.length)
      this.#segment = Buffer.allocUnsafeSlow(Math.max(sizeBytes, 2 * this.#segment.length))
    if (this.#segment.write(payload, 0, 'base64') !== sizeBytes) throw this.#corrupt('a segment that is not base64')
    return this.#segment.subarray(0, sizeBytes)
  }

  #fileOf(line: Record<string, unknown>): SplitFile {
    const name = this.#nameOf(line)
    const { size = 0, payload } = line
    if (!(typeof size === 'number' && Number.isSafeInteger(size) && size >= 0))
      throw this.#corrupt('a size that is none')
    return this.#file(name, size, payload)
  }

  /**
   * Old writers of tars gave a size to links and directories. Docker records it, cannot put such a layer together again, and asks
   * for a content that the tar never had: the checksum of nothing, behind a header of that type.
   */
  #file(name: ByteString, size: number, payload: unknown): SplitFile {
    const headerOnly = this.#typeFlag !== undefined && isHeaderOnly(this.#typeFlag)
    this.#typeFlag = undefined
    if (size === 0) return { type: 'file', name, sizeBytes: 0, crc: '' }
    if (typeof payload !== 'string' || base64Bytes(Buffer.from(payload)) !== crcBytes)
      throw this.#corrupt('a file with content and without its checksum')
    if (headerOnly && payload === crcOfNothing) return { type: 'file', name, sizeBytes: 0, crc: '' }
    return { type: 'file', name, sizeBytes: size, crc: payload }
  }

  /** Go leaves out a name that is empty. */
  #nameOf({ name = '', name_raw: raw }: Record<string, unknown>): ByteString {
    if (typeof name !== 'string') throw this.#corrupt('a name that is no text')
    if (raw === undefined || raw === null) return fromText(name)
    if (typeof raw !== 'string' || base64Bytes(Buffer.from(raw)) === undefined)
      throw this.#corrupt('a name that is not base64')
    return byteString(Buffer.from(raw, 'base64'))
  }

  #corrupt(reason: string, cause?: unknown): PhylloError {
    const facts = { path: this.#path, line: this.#lines, ...(cause === undefined ? {} : { cause }) }
    return new PhylloError('STORE_CORRUPT', `${this.#path}: line ${this.#lines}: ${reason}`, facts)
  }
}

class Segment implements SplitSegment {
  readonly type = 'segment'
  readonly sizeBytes: number
  readonly #decode: () => Buffer

  constructor(sizeBytes: number, decode: () => Buffer) {
    this.sizeBytes = sizeBytes
    this.#decode = decode
  }

  get bytes(): Buffer {
    return this.#decode()
  }
}

const plainStart = Buffer.from('{"type":2,"payload":"')
const plainEnd = '","position":'

/** The line of a file, or of what has no content, as Docker and we write it, where its name is ASCII and nothing in it is escaped. */
const plainFile =
  /^\{"type":1,"name":"([ !#-[\]-~]*)"(?:,"size":(\d{1,15}))?,"payload":(?:"([A-Za-z0-9+/=]{12})"|null),"position":\d+\}$/
const plainFileMost = 4 * KiB

/**
 * The payload of a segment's line as Docker and we write it, without parsing it as JSON: nearly all bytes of tar-split are such
 * lines. Undefined for any other line.
 */
function plainPayload(bytes: Buffer, from: number, to: number): Buffer | undefined {
  const start = from + plainStart.length
  if (start >= to || bytes.compare(plainStart, 0, plainStart.length, from, start) !== 0) return undefined
  const end = bytes.indexOf(quote, start)
  if (end === -1 || !isPlainEnd(bytes.toString('latin1', end, to))) return undefined
  const payload = bytes.subarray(start, end)
  return payload.includes(backslash) ? undefined : payload
}

function isPlainEnd(text: string): boolean {
  return text.startsWith(plainEnd) && /^\d+\}$/.test(text.slice(plainEnd.length))
}

/** One of the bytes that base64 stands for. */
function byteAt(text: Uint8Array, offset: number): number {
  const at = Math.floor((offset * 4) / 3)
  const bits = (sextets[text[at]!]! << 6) | sextets[text[at + 1]!]!
  return (bits >> (4 - 2 * (offset % 3))) & 0xff
}

/** What a character of base64 stands for. */
const sextets = new Uint8Array(256)
for (const [value, character] of Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
).entries())
  sextets[character] = value

/** How many bytes this stands for, if it is base64 with its padding. */
function base64Bytes(text: Uint8Array): number | undefined {
  const { length } = text
  if (length % 4 !== 0) return undefined
  return (length / 4) * 3 - (text[length - 2] === padding ? 2 : text[length - 1] === padding ? 1 : 0)
}
