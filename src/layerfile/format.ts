/**
 * The layer file, byte for byte as in docs/layer-file.md: a standard LZ4 frame whose content is the layer's tar, then
 * a skippable frame with the index, then one with the footer. All numbers are little-endian.
 */
import { endianness } from 'node:os'
import { PhylloError } from '../errors.js'
import type { DiffId } from '../oci/digest.js'

export const formatVersion = 1

/** Magic numbers of our two skippable frames; any of 0x184D2A50 to 0x184D2A5F is one. */
export const indexMagic = 0x184d2a51
export const footerMagic = 0x184d2a5e
/** A skippable frame begins with its magic number and the length of what follows, 4 bytes each. */
export const skippableHeaderBytes = 8
/** Sections stand on multiples of this, in the file as well as in the index. */
export const sectionAlignment = 8

/** Sections of the index, in file order, with the bytes of one element. */
export const sections = {
  /** Rows of 3 u64: content offset, file offset of the block's length word, xxh64. One row more than there are blocks. */
  blocks: 24,
  mode: 2,
  flags: 1,
  uid: 4,
  gid: 4,
  nlink: 4,
  mtimeSec: 8,
  mtimeNsec: 4,
  size: 8,
  data: 8,
  xattrRef: 4,
  /** Offset in `names` of each dirent's name, and one more: where the last one ends. */
  direntName: 4,
  direntInode: 4,
  names: 1,
  targets: 1,
  xattrs: 1,
} as const
export type SectionName = keyof typeof sections
export const sectionNames = Object.keys(sections) as SectionName[]

/** In `direntInode`: the name is a whiteout. As a signed number it is the WHITEOUT of drivers/layer.ts. */
export const whiteoutInode = 0xffff_ffff

export interface Section {
  /** From the begin of the index. */
  readonly offset: number
  readonly length: number
  /** Low and high word of its xxh64. */
  readonly checksum: readonly [number, number]
}

export interface Footer {
  readonly diffId: DiffId
  readonly tarBytes: number
  /** Docker's layer size: bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  /** Entries of the tar. */
  readonly entries: number
  readonly indexOffset: number
  readonly indexBytes: number
  /** File offset just behind the LZ4 frame. */
  readonly frameEnd: number
  readonly sections: Readonly<Record<SectionName, Section>>
}

const signature = 'PhylloLF'
const sectionsAt = 80
const sectionRowBytes = 24
const footerPayloadBytes = sectionsAt + sectionNames.length * sectionRowBytes
/** The same in every version, at the very end: version, bytes of the footer's frame, signature, xxh64 of all before. */
export const trailerBytes = 24
export const footerBytes = skippableHeaderBytes + footerPayloadBytes + trailerBytes
/** More than any footer of a later version will have. */
const maxFooterBytes = 64 * 1024

export type Sum = (bytes: Uint8Array) => readonly [low: number, high: number]

export function encodeFooter(footer: Footer, sum: Sum): Buffer {
  const bytes = Buffer.alloc(footerBytes)
  bytes.writeUInt32LE(footerMagic, 0)
  bytes.writeUInt32LE(footerBytes - skippableHeaderBytes, 4)
  const body = bytes.subarray(skippableHeaderBytes)
  body.write(footer.diffId.slice('sha256:'.length), 0, 'hex')
  const { tarBytes, sizeBytes, entries, indexOffset, indexBytes, frameEnd } = footer
  for (const [i, value] of [tarBytes, sizeBytes, entries, indexOffset, indexBytes, frameEnd].entries())
    writeUint64(body, 32 + 8 * i, value)
  for (const [i, name] of sectionNames.entries()) {
    const { offset, length, checksum } = footer.sections[name]
    const at = sectionsAt + i * sectionRowBytes
    writeUint64(body, at, offset)
    writeUint64(body, at + 8, length)
    body.writeUInt32LE(checksum[0], at + 16)
    body.writeUInt32LE(checksum[1], at + 20)
  }
  const trailer = bytes.subarray(footerBytes - trailerBytes)
  trailer.writeUInt32LE(formatVersion, 0)
  trailer.writeUInt32LE(footerBytes, 4)
  trailer.write(signature, 8, 'latin1')
  const checksum = sum(bytes.subarray(0, footerBytes - 8))
  trailer.writeUInt32LE(checksum[0], 16)
  trailer.writeUInt32LE(checksum[1], 20)
  return bytes
}

/** How long the footer is that ends in these bytes. Throws STORE_CORRUPT when it is none. */
export function footerLength(trailer: Buffer, path: string): number {
  const length = trailer.readUInt32LE(4)
  if (trailer.toString('latin1', 8, 16) !== signature || length < trailerBytes || length > maxFooterBytes)
    throw corrupt(path, 'does not end in the footer of a layer file')
  return length
}

/** `bytes` is the footer's frame, whole. Throws STORE_CORRUPT, and STORE_VERSION for an undamaged newer footer. */
export function decodeFooter(bytes: Buffer, path: string, sum: Sum): Footer {
  const trailer = bytes.subarray(bytes.length - trailerBytes)
  const [low, high] = sum(bytes.subarray(0, bytes.length - 8))
  if (trailer.readUInt32LE(16) !== low || trailer.readUInt32LE(20) !== high)
    throw corrupt(path, 'the footer is damaged')
  const version = trailer.readUInt32LE(0)
  if (version < formatVersion || (version === formatVersion && bytes.length !== footerBytes))
    throw corrupt(path, 'the footer is not one of its version')
  if (version > formatVersion)
    throw new PhylloError(
      'STORE_VERSION',
      `${path}: layer file of version ${version}; this Phyllo reads version ${formatVersion}`,
      { path, version },
    )
  const body = bytes.subarray(skippableHeaderBytes)
  const numbers = [0, 1, 2, 3, 4, 5].map(i => readUint64(body, 32 + 8 * i))
  const [tarBytes, sizeBytes, entries, indexOffset, indexBytes, frameEnd] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const rows = sectionNames.map((name, i): [SectionName, Section] => {
    const at = sectionsAt + i * sectionRowBytes
    const checksum = [body.readUInt32LE(at + 16), body.readUInt32LE(at + 20)] as const
    return [name, { offset: readUint64(body, at), length: readUint64(body, at + 8), checksum }]
  })
  const diffId = `sha256:${body.toString('hex', 0, 32)}` as DiffId
  const table = Object.fromEntries(rows) as Record<SectionName, Section>
  return { diffId, tarBytes, sizeBytes, entries, indexOffset, indexBytes, frameEnd, sections: table }
}

export function corrupt(path: string, reason: string, facts: { offset?: number; cause?: unknown } = {}): PhylloError {
  return new PhylloError('STORE_CORRUPT', `${path}: ${reason}`, { path, ...facts })
}

/** The index is used as it stands in the file, so the machine must have its byte order. */
export function requireLittleEndian(order: string = endianness()): void {
  if (order !== 'LE')
    throw new PhylloError('STORE_VERSION', 'layer files are little-endian, and this machine is big-endian')
}

/** Also for negative numbers, in two's complement. */
export function writeUint64(bytes: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 2 ** 32)
  bytes.writeUInt32LE(value - high * 2 ** 32, at)
  bytes.writeUInt32LE(high >>> 0, at + 4)
}

export function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
}
