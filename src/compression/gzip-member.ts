/** What stands around the deflated data of a gzip member (RFC 1952), the same for whoever writes one. */

/** Without flags, time and system, as Docker's. */
const plainHeader = Buffer.from('1f8b08000000000000ff', 'hex')
/** FLG.FEXTRA: after the header stand two bytes of length, and so many of subfields. */
const extraFlag = 4

/** With `extra`, subfields that readers of gzip pass over (RFC 1952 2.3.1.1). */
export function gzipHeader(extra?: Uint8Array): Buffer {
  if (extra === undefined) return plainHeader
  const header = Buffer.concat([plainHeader, Buffer.alloc(2), extra])
  header[3] = extraFlag
  header.writeUInt16LE(extra.length, plainHeader.length)
  return header
}

/** Checksum and length of the plain bytes, as they pass. */
export class GzipTrailer {
  readonly #crc: Crc32
  #plainBytes = 0

  static async create(): Promise<GzipTrailer> {
    const { default: parts } = await import('hash-wasm/dist/crc32.umd.min.js')
    return new GzipTrailer(await parts.createCRC32())
  }

  private constructor(crc: Crc32) {
    this.#crc = crc.init()
  }

  update(bytes: Uint8Array): void {
    this.#crc.update(bytes)
    this.#plainBytes += bytes.length
  }

  /** Once, behind the last byte. */
  bytes(): Buffer {
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(Buffer.from(this.#crc.digest('binary')).readUInt32BE(), 0)
    trailer.writeUInt32LE(this.#plainBytes % 2 ** 32, 4)
    return trailer
  }
}

type Crc32 = Awaited<ReturnType<typeof import('hash-wasm').createCRC32>>
