/**
 * tar-split's checksum of contents: CRC-64 with the polynomial of ISO 3309 (Go's hash/crc64, ISO), as the 8 bytes in big-endian
 * order and base64 (facts: docker-store 6.3).
 */

export interface Crc64 {
  init(): unknown
  update(bytes: Uint8Array): unknown
  digest(): string
}

/** Of no bytes at all. */
export const crcOfNothing = 'AAAAAAAAAAA='

/** Reflected. */
const polynomial = 'd800000000000000'

/** One WebAssembly instance each: it sums one content at a time. */
export async function loadCrc64(): Promise<Crc64> {
  const { default: parts } = await import('hash-wasm/dist/crc64.umd.min.js')
  const hasher = await parts.createCRC64(polynomial)
  return {
    init: () => hasher.init(),
    update: bytes => hasher.update(bytes),
    digest: () => Buffer.from(hasher.digest('binary').buffer).toString('base64'),
  }
}
