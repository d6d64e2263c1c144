/**
 * LZ4 through lz4-napi (lz4_flex, a Rust implementation in a prebuilt addon). Its blocks carry the content's length in
 * 4 bytes in front, which is just the room that callers of Lz4 leave. Memory-safe on any input; it allocates as much
 * as that length says, so the length is always the one that the index of the layer file told, never one from the block.
 */
import { callLimit, callsInFlight } from './call-limit.js'
import type { Lz4 } from './lz4.js'
import { damagedBlock, requireBound, requireRoom, roomBytes } from './lz4-block.js'

export async function loadLz4Napi(): Promise<Lz4> {
  const { default: lz4 } = await import('lz4-napi')
  const limited = callLimit(callsInFlight)
  const contentSync = (stored: Uint8Array, contentBytes: number): Buffer => {
    const prefixed = withLength(stored, contentBytes)
    let content: Buffer
    try {
      content = lz4.uncompressSync(prefixed)
    } catch (error) {
      throw unreadable(stored, contentBytes, error)
    }
    return checked(content, stored, contentBytes)
  }
  return {
    name: 'lz4-napi',
    compressSync: (block, into) => put(lz4.compressSync(asBuffer(block)), block, into),
    decompressSync: (stored, into) => into.set(contentSync(stored, into.length)),
    contentSync,
    async decompress(stored, into) {
      const prefixed = withLength(stored, into.length)
      const content = await limited(() => lz4.uncompress(prefixed)).catch((error: unknown) => {
        throw unreadable(stored, into.length, error)
      })
      into.set(checked(content, stored, into.length))
    },
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** What came out, without the content's length in front of it. */
function put(out: Buffer, block: Uint8Array, into: Uint8Array): number {
  requireBound(block, into)
  into.set(out.subarray(roomBytes))
  return out.length - roomBytes
}

/** Writes the content's length into the 4 bytes in front of the block. */
function withLength(stored: Uint8Array, contentBytes: number): Buffer {
  requireRoom(stored)
  const prefixed = Buffer.from(stored.buffer, stored.byteOffset - roomBytes, stored.byteLength + roomBytes)
  prefixed.writeUInt32LE(contentBytes)
  return prefixed
}

function checked(content: Buffer, stored: Uint8Array, contentBytes: number): Buffer {
  if (content.length === contentBytes) return content
  throw damagedBlock(stored.length, contentBytes, `it holds ${content.length}`)
}

function unreadable(stored: Uint8Array, contentBytes: number, error: unknown): unknown {
  return damagedBlock(stored.length, contentBytes, error instanceof Error ? error.message : String(error), error)
}
