/**
 * gzip (RFC 1952), read through node:zlib; parallel-gzip.ts and gzip-writer.ts write it.
 *
 * Members are joined; zeros after the last one are accepted, as tapes and block devices leave them there;
 * anything else is refused. node:zlib joins members by itself and checks CRC-32, length and flags, but stops without a
 * word at the first zero byte that follows a member. So what it left unread is looked at here.
 */
import { createGunzip, type Gunzip } from 'node:zlib'
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
