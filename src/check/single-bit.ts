/**
 * What a small file was before one of its bits fell over, when it is known how to tell the right bytes from wrong ones: every bit is
 * tried. The most common damage heals so without any copy.
 */

/** Trying takes the square of the length: 16 KiB of a config take a second or two. */
const mostBytes = 16 * 1024
/** Bytes whose bits are tried before others get their turn. */
const turnBytes = 64

/** The one change of one bit that makes them right; undefined when none does, or several do. */
export async function withoutFlippedBit(
  damaged: Buffer,
  isRight: (bytes: Buffer) => boolean,
): Promise<Buffer | undefined> {
  if (damaged.length > mostBytes) return undefined
  const bytes = Buffer.from(damaged)
  let found: Buffer | undefined
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 1; bit < 256; bit *= 2) {
      bytes[at]! ^= bit
      if (isRight(bytes)) {
        if (found !== undefined) return undefined
        found = Buffer.from(bytes)
      }
      bytes[at]! ^= bit
    }
    if (at % turnBytes === 0) await new Promise(resolve => setImmediate(resolve))
  }
  return found
}
