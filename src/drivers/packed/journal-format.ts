/**
 * The journal of an upper, byte for byte as in docs/container.md: a header, then frames, each handed to the kernel with one write.
 * A frame holds whole batches, and is there as a whole or not at all. All numbers are little-endian.
 */
import { PhylloError } from '../../errors.js'

export const journalName = 'journal'
/** A journal that is being written, to take the other's place. */
export const nextJournalName = 'journal.next'
export const journalVersion = 1

/** "PhylUppr", as two words. */
export const headerMagic = [0x6c796850, 0x72707055] as const
export const headerBytes = 32
/** "PhUF" */
export const frameMagic = 0x46556850
export const frameHeaderBytes = 32

export const words = {
  header: { magic: 0, version: 8, snapshotEnd: 16, checksum: 24 },
  frame: { checksum: 0, magic: 8, payloadBytes: 12, offset: 16, durable: 24 },
} as const

/** First byte of a record. */
export const ops = {
  create: 1,
  place: 2,
  remove: 3,
  whiteout: 4,
  attributes: 5,
  xattrs: 6,
  small: 7,
  large: 8,
  extent: 9,
  next: 10,
} as const

/** What a `create` record has, beyond id, mode, uid, gid and one time. */
export const createHas = {
  times: 1,
  device: 2,
  xattrs: 4,
  target: 8,
  origin: 16,
  lowerContent: 32,
  lowers: 64,
} as const
export const attributesHas = { mode: 1, uid: 2, gid: 4, atime: 8, mtime: 16, ctime: 32, birthtime: 64 } as const
/** `ctime` is there and equals `mtime`, which is told. */
export const ctimeIsMtime = 128

/** Fixed part of a content record behind its id: segment or file, offset, bytes. */
export const contentFieldBytes = 16

/** Bytes appended to a segment, which the frame relies on. */
export interface Extent {
  readonly segment: number
  readonly offset: number
  readonly bytes: number
  readonly checksum: readonly [low: number, high: number]
}

export function putU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

export function getU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function corruptUpper(path: string, reason: string, offset?: number): PhylloError {
  const where = offset === undefined ? '' : ` at offset ${offset}`
  return new PhylloError('STORE_CORRUPT', `${path}: ${reason}${where}`, {
    path,
    ...(offset !== undefined && { offset }),
  })
}
