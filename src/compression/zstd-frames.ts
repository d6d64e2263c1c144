/**
 * Takes a zstd stream apart into its frames (RFC 8878), without decompressing anything: the length of every block
 * stands in its header. So all engines get the same strictness, whatever they let pass by themselves: skippable frames
 * are left out, windows are bounded before memory is taken for them, dictionaries, truncation and anything between or
 * behind the frames are refused.
 *
 * Invariant: the pieces that come out are the bytes of all frames in order, less the skippable ones, and no piece
 * holds bytes of two frames.
 */
import { type Limits, limitError } from '../limits.js'
import { invalid, unsupported } from './invalid.js'

export interface ZstdPiece {
  readonly bytes: Uint8Array
  /** Set on the first piece of a frame, which is its header: the window that decoding it needs. */
  readonly windowBytes?: number
}

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50
const maxBlockBytes = 128 * 1024
const maxHeaderBytes = 18

/** What is being collected byte by byte, or passed over as a whole. */
type Stage = 'magic' | 'descriptor' | 'header' | 'block header' | 'skip length' | 'skip' | 'block' | 'checksum'

export class ZstdFrames {
  readonly #limits: Limits
  readonly #label: string
  #stage: Stage = 'magic'
  /** Bytes still to pass over in 'skip', 'block' and 'checksum'. */
  #left = 0
  /** Bytes collected in the other stages; a frame's header with its magic. */
  readonly #held = Buffer.alloc(maxHeaderBytes)
  #heldBytes = 0
  #need = 4
  #windowBytes = 0
  #hasChecksum = false
  #lastBlock = false
  /** Between a frame's header and its end: bytes go out as they are. */
  #open = false

  constructor(limits: Limits, label: string) {
    this.#limits = limits
    this.#label = label
  }

  async *pieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<ZstdPiece> {
    for await (const chunk of source) yield* this.split(chunk)
    this.end()
  }

  *split(chunk: Uint8Array): Generator<ZstdPiece> {
    let start = 0
    for (let at = 0; at < chunk.length; ) {
      const wasOpen = this.#open
      at += this.#left > 0 ? this.#passOver(chunk.length - at) : this.#collect(chunk, at)
      if (this.#open === wasOpen) continue
      if (wasOpen) yield { bytes: chunk.subarray(start, at) }
      else yield { bytes: Buffer.from(this.#held.subarray(0, this.#need)), windowBytes: this.#windowBytes }
      start = at
      if (this.#open) this.#expect('block header', 3)
    }
    if (this.#open && start < chunk.length) yield { bytes: chunk.subarray(start) }
  }

  /** @throws PhylloError COMPRESSION_INVALID if the bytes end anywhere but behind a frame. */
  end(): void {
    if (this.#stage !== 'magic' || this.#heldBytes > 0) throw this.#invalid(`ends within a frame (${this.#stage})`)
  }

  #passOver(available: number): number {
    const step = Math.min(this.#left, available)
    this.#left -= step
    if (this.#left === 0) this.#passedOver()
    return step
  }

  #passedOver(): void {
    if (this.#stage === 'block' && !this.#lastBlock) this.#expect('block header', 3)
    else if (this.#stage === 'block' && this.#hasChecksum) this.#skip('checksum', 4)
    else {
      this.#open = false
      this.#expect('magic', 4)
    }
  }

  #collect(chunk: Uint8Array, at: number): number {
    const step = Math.min(this.#need - this.#heldBytes, chunk.length - at)
    this.#held.set(chunk.subarray(at, at + step), this.#heldBytes)
    this.#heldBytes += step
    if (this.#heldBytes === this.#need) this.#collected()
    return step
  }

  #collected(): void {
    if (this.#stage === 'magic') this.#magic(this.#held.readUInt32LE(0))
    else if (this.#stage === 'skip length') this.#skip('skip', this.#held.readUInt32LE(0))
    else if (this.#stage === 'descriptor') this.#descriptor(this.#held.readUInt8(4))
    else if (this.#stage === 'header') this.#header(this.#held.readUInt8(4))
    else this.#blockHeader(this.#held.readUIntLE(0, 3))
  }

  #magic(magic: number): void {
    if (magic === frameMagic) {
      this.#stage = 'descriptor' // what is held is kept: the header goes out with its magic
      this.#need = 5
    } else if ((magic & 0xfffffff0) === skippableMagic) this.#expect('skip length', 4)
    else throw this.#invalid(`0x${magic.toString(16).padStart(8, '0')} is not the magic number of a frame`)
  }

  #descriptor(descriptor: number): void {
    if ((descriptor & 0x08) !== 0) throw this.#invalid('a reserved bit of a frame header is set')
    this.#hasChecksum = (descriptor & 0x04) !== 0
    const { contentSizeAt, contentSizeBytes } = headerLayout(descriptor)
    this.#stage = 'header'
    this.#need = contentSizeAt + contentSizeBytes
  }

  #header(descriptor: number): void {
    const { singleSegment, dictionaryAt, dictionaryBytes, contentSizeAt, contentSizeBytes } = headerLayout(descriptor)
    const dictionary = dictionaryBytes > 0 ? this.#held.readUIntLE(dictionaryAt, dictionaryBytes) : 0
    if (dictionary !== 0)
      throw unsupported(this.#label, 'zstd', `needs the dictionary ${dictionary}, which is not there`)
    if (singleSegment) {
      const size = Number(littleEndian(this.#held.subarray(contentSizeAt, contentSizeAt + contentSizeBytes)))
      this.#windowBytes = contentSizeBytes === 2 ? size + 256 : size
    } else {
      const window = this.#held.readUInt8(5)
      this.#windowBytes = 2 ** (10 + (window >> 3)) * (1 + (window & 7) / 8)
    }
    const max = this.#limits.zstdWindowBytes
    if (this.#windowBytes > max) throw limitError('zstdWindowBytes', max, this.#windowBytes, `${this.#label}: window`)
    this.#open = true
  }

  #blockHeader(header: number): void {
    const type = (header >> 1) & 3
    const blockBytes = header >> 3
    if (type === 3) throw this.#invalid('a block is of the reserved type')
    if (blockBytes > Math.min(this.#windowBytes, maxBlockBytes)) {
      throw this.#invalid(`a block of ${blockBytes} bytes is larger than its frame allows`)
    }
    this.#lastBlock = (header & 1) !== 0
    this.#skip('block', type === 1 ? 1 : blockBytes)
  }

  #expect(stage: Stage, bytes: number): void {
    this.#stage = stage
    this.#need = bytes
    this.#heldBytes = 0
  }

  #skip(stage: Stage, bytes: number): void {
    this.#expect(stage, 0)
    this.#left = bytes
    if (bytes === 0) this.#passedOver()
  }

  #invalid(reason: string): Error {
    return invalid(this.#label, 'zstd', reason)
  }
}

/** Offsets within a frame header, its magic included (RFC 8878, 3.1.1.1). */
function headerLayout(descriptor: number) {
  const singleSegment = (descriptor & 0x20) !== 0
  const dictionaryAt = singleSegment ? 5 : 6
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!
  const sizeFlag = descriptor >> 6
  const contentSizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag
  return {
    singleSegment,
    dictionaryAt,
    dictionaryBytes,
    contentSizeAt: dictionaryAt + dictionaryBytes,
    contentSizeBytes,
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
