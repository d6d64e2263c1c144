/** Whether bytes that arrive are worth starting on: what a member of an archive looks like by its first block. */

/** Bytes that are looked at: one tar header. */
export const magicBytes = 512

const compressed: readonly (readonly number[])[] = [
  [0x1f, 0x8b, 0x08], // gzip
  [0x28, 0xb5, 0x2f, 0xfd], // zstd
  [0x42, 0x5a, 0x68], // bzip2
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], // xz
]

/**
 * True if the member may be a layer: a compressed file, a tar header with the right checksum, or an empty tar. `head`
 * holds its first `magicBytes` bytes, or all of them. A wrong yes costs a job for nothing; a wrong no costs only time.
 */
export function looksLikeLayer(head: Uint8Array, sizeBytes: number): boolean {
  if (compressed.some(magic => magic.every((byte, at) => head[at] === byte))) return true
  // A zstd skippable frame may come first (zstd:chunked).
  if (head.length >= 4 && (head[0]! & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18)
    return true
  if (head.length < magicBytes || sizeBytes % magicBytes !== 0) return false
  return isTarHeader(head) || head.every(byte => byte === 0)
}

function isTarHeader(block: Uint8Array): boolean {
  let sum = 0
  for (let at = 0; at < magicBytes; at++) sum += at >= 148 && at < 156 ? 0x20 : block[at]!
  const digits = /^[ \0]*([0-7]+)[ \0]*$/.exec(String.fromCharCode(...block.subarray(148, 156)))
  return digits !== null && Number.parseInt(digits[1]!, 8) === sum
}
