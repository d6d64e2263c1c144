/**
 * HalfSipHash-1-3 over a directory's number and a name: a keyed hash of 32 bits, so that nobody who does not know the
 * key (drawn anew for each layer) can choose names that collide.
 * Aumasson and Bernstein, "SipHash: a fast short-input PRF", with 32-bit words as in the authors' halfsiphash.
 */
import type { ByteString } from '../../byte-string.js'

/** Two random words of 32 bits. */
export interface HashKey {
  readonly k0: number
  readonly k1: number
}

export function hashName({ k0, k1 }: HashKey, dir: number, name: ByteString): number {
  let v0 = k0 | 0
  let v1 = k1 | 0
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  let word = dir | 0
  let at = 0
  // One word for the directory, then the name four bytes at a time, the last word with the length in its top byte;
  // then, as the definition has it, 0xff into v2 and three more rounds.
  const last = name.length & ~3
  for (let step = -4; step <= last + 12; step += 4) {
    if (step >= 0 && step < last) {
      word =
        name.charCodeAt(at) |
        (name.charCodeAt(at + 1) << 8) |
        (name.charCodeAt(at + 2) << 16) |
        (name.charCodeAt(at + 3) << 24)
      at += 4
    } else if (step === last) {
      word = (name.length + 4) << 24
      for (let shift = 0; at < name.length; shift += 8) word |= name.charCodeAt(at++) << shift
    } else if (step === last + 4) {
      word = 0
      v2 ^= 0xff
    }
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return (v1 ^ v3) >>> 0
}
