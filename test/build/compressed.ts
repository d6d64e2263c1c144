/** Compressed bytes made by hand, from the specifications (RFC 1952, RFC 8878), and iterables of chunks. */

import { deflateRawSync } from 'node:zlib'
import { crc32 as crc32Of } from 'hash-wasm'

export function concat(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts)
}

export const zeros = (bytes: number): Buffer => Buffer.alloc(bytes)

/** The bytes in chunks of this size, each in memory of its own that is wiped as soon as the next one is asked for. */
export async function* chunked(bytes: Uint8Array, size = 1 << 20): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = Uint8Array.from(bytes.subarray(at, at + size))
    yield chunk
    chunk.fill(0xee)
  }
}

/** All of it in one; chunks are copied before the next is asked for, as the contract has it. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of chunks) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

export interface MemberOptions {
  readonly flags?: number
  /** What stands between the fixed header and the deflated data. */
  readonly extra?: Uint8Array
}

/** A gzip member, from RFC 1952. */
export async function member(
  content: Uint8Array,
  { flags = 0, extra = zeros(0) }: MemberOptions = {},
): Promise<Buffer> {
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(Number.parseInt(await crc32Of(content), 16), 0)
  trailer.writeUInt32LE(content.length % 2 ** 32, 4)
  return concat(Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255]), extra, deflateRawSync(content), trailer)
}

export interface FrameOptions {
  /** Window descriptor: exponent * 8 + mantissa; 0 is 1 KiB, 56 is 128 KiB. */
  readonly window?: number
  readonly descriptor?: number
  /** Between window descriptor and first block: dictionary id, content size. */
  readonly fields?: Uint8Array
  readonly checksum?: Uint8Array
}

export type Block = { readonly raw: Uint8Array } | { readonly rle: number; readonly bytes: number }

function block(content: Block, last: boolean): Buffer {
  const [type, size, body] = 'raw' in content ? [0, content.raw.length, content.raw] : [1, content.bytes, [content.rle]]
  const header = Buffer.alloc(3)
  header.writeUIntLE((size << 3) | (type << 1) | (last ? 1 : 0), 0, 3)
  return concat(header, Buffer.from(body))
}

/** A zstd frame of raw and run-length blocks, with a window descriptor. */
export function frame(blocks: readonly Block[], options: FrameOptions = {}): Buffer {
  const { window = 56, descriptor = options.checksum ? 4 : 0, fields = zeros(0), checksum = zeros(0) } = options
  const body = blocks.map((content, i) => block(content, i === blocks.length - 1))
  return concat(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, window]), fields, ...body, checksum)
}

export function skippable(content: Uint8Array, low = 0, sizeBytes = content.length): Buffer {
  const header = Buffer.from([0x50 | low, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])
  header.writeUInt32LE(sizeBytes, 4)
  return concat(header, content)
}
