/**
 * gzip (RFC 1952), both ways, through node:zlib.
 *
 * Reading: members are joined; zeros after the last one are accepted, as tapes and block devices leave them there;
 * anything else is refused. node:zlib joins members by itself and checks CRC-32, length and flags, but stops without a
 * word at the first zero byte that follows a member. So what it left unread is looked at here.
 *
 * Writing: the header says nothing about the time or the machine, so that the same tar gives the same bytes wherever
 * the same zlib is at work.
 */
import { constants, createGunzip, createGzip, type Gunzip } from 'node:zlib'
import { chunkBytes } from '../limits.js'
import { invalid, reasonOf } from './invalid.js'
import { throughTransform } from './transform.js'

export async function* decompressGzip(source: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: chunkBytes, readableHighWaterMark: 2 * chunkBytes } as object)
  yield* throughTransform(zerosAfterLastMember(source, gunzip, label), gunzip, error =>
    invalid(label, 'gzip', reasonOf(error), error),
  )
}

/** Passes the source through, and refuses anything but zeros once gunzip has left something unread. */
async function* zerosAfterLastMember(
  source: AsyncIterable<Uint8Array>,
  gunzip: Gunzip,
  label: string,
): AsyncGenerator<Uint8Array> {
  let offset = 0
  let padding = false
  for await (const chunk of source) {
    let unread: Uint8Array = chunk
    if (!padding) {
      yield chunk // gunzip has taken it when this comes back
      unread = chunk.subarray(chunk.length - (offset + chunk.length - gunzip.bytesWritten))
      padding = unread.length > 0
    }
    offset += chunk.length
    if (padding && unread.some(byte => byte !== 0)) {
      throw invalid(label, 'gzip', 'the last member is followed by something else than zeros')
    }
  }
}

const headerBytes = 10
/** RFC 1952: operating system unknown. */
const unknownSystem = 255

export interface GzipOptions {
  /** 1 (fast) to 9 (small). */
  readonly level: number
}

/** One gzip member. Its header has no time, no name, no extra flags and an unknown system. */
export async function* compressGzip(source: AsyncIterable<Uint8Array>, { level }: GzipOptions): AsyncGenerator<Buffer> {
  const gzip = createGzip({ level, memLevel: constants.Z_DEFAULT_MEMLEVEL, chunkSize: 256 * 1024 })
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const chunk of throughTransform(source, gzip, error => error)) {
    if (head === undefined) {
      yield chunk
      continue
    }
    head = Buffer.concat([head, chunk])
    if (head.length < headerBytes) continue
    head.fill(0, 4, headerBytes) // MTIME, XFL
    head[headerBytes - 1] = unknownSystem
    yield head
    head = undefined
  }
}
