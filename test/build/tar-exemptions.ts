/** Archives that we accept and another reader is known to read differently, as exactly as can be told, and why. */
import { isUtf8 } from 'node:buffer'
import { isHeaderOnly } from '../../src/tar/header.js'
import { parseNumber } from '../../src/tar/numbers.js'
import { scan } from './scan.js'
import { seal } from './tar.js'

/**
 * A link, device, directory or fifo whose size field is not zero. For us, as for Go's archive/tar and so for Docker, it
 * has no content, and archives like that are loaded today. GNU tar and tar-stream pass over so many bytes for most of
 * them. Where there is such a body we refuse it (D17), so that what we accept has one reading among those who unpack.
 */
export function hasSizeWithoutContent(bytes: Buffer): boolean {
  return scan(bytes).some(({ contentOffset }) => {
    const header = bytes.subarray(contentOffset - 512, contentOffset)
    return isHeaderOnly(header[156]!) && parseNumber(header, 124, 12) > 0
  })
}

/** tar-stream is off by one for negative base-256 numbers: it takes the complement and does not add 1. */
function hasNegativeTime(bytes: Buffer): boolean {
  return scan(bytes).some(({ contentOffset }) => bytes[contentOffset - 512 + 136] === 0xff)
}

/** The bodies of `x` and `g` headers. */
function* paxBodies(bytes: Buffer): Generator<Buffer> {
  let from = 0
  for (const { contentOffset, sizeBytes } of scan(bytes)) {
    const start = from
    from = contentOffset + 512 * Math.ceil(sizeBytes / 512)
    for (let at = start; at < contentOffset - 512; at += 512) {
      const block = bytes.subarray(at, at + 512)
      const isPax = seal(Buffer.from(block)).equals(block) && (block[156] === 0x78 || block[156] === 0x67)
      if (isPax) yield bytes.subarray(at + 512, at + 512 + parseNumber(block, 124, 12))
    }
  }
}

/**
 * tar-stream takes the header behind an empty `x` or `g` header for its padding, and refuses what comes then; and it decodes what is
 * in one, so that bytes that are no UTF-8 are lost.
 */
function hasOddPax(bytes: Buffer): boolean {
  return [...paxBodies(bytes)].some(body => body.length === 0 || !isUtf8(body))
}

/** tar-stream sees the slash that makes a file a directory, and then reports a file. */
function hasSlashedFile(bytes: Buffer): boolean {
  return scan(bytes).some(
    ({ type, contentOffset }) => type === 'directory' && bytes[contentOffset - 512 + 156] !== 0x35,
  )
}

export function tarStreamErrs(bytes: Buffer): boolean {
  return hasSizeWithoutContent(bytes) || hasNegativeTime(bytes) || hasOddPax(bytes) || hasSlashedFile(bytes)
}
