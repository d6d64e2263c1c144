/**
 * Every bound of the engine, with unit and reason. Hostile archives are normal input: bounds are enforced where bytes
 * enter, and passing one is a LIMIT_EXCEEDED that names it.
 */
import { PhylloError } from './errors.js'

export const KiB = 1024
export const MiB = 1024 * KiB
export const GiB = 1024 * MiB

export interface Limits {
  /** Uncompressed bytes of one layer. Decompression stops one chunk after it. */
  readonly layerBytes: number
  /** Output ÷ input of a decompressor, looked at once the output is over `ratioFreeBytes`. Zeros give 1030 in gzip. */
  readonly compressionRatio: number
  readonly ratioFreeBytes: number
  /** Entries of one layer. The largest real layers have some hundred thousand. */
  readonly layerEntries: number
  /** Bytes of one PAX, long-name or long-link body. Go's archive/tar and tar-split have the same bound. */
  readonly tarMetaBytes: number
  /** Meta headers (x, g, L, K) before one entry. */
  readonly tarMetaHeaders: number
  /** Bytes of all meta bodies of one layer. */
  readonly tarMetaTotalBytes: number
  /** Linux PATH_MAX less the NUL. */
  readonly pathBytes: number
  /** Linux NAME_MAX. */
  readonly nameBytes: number
  readonly pathDepth: number
  /** xattrs of one entry, and the bytes of their names and values together. */
  readonly xattrs: number
  readonly xattrBytes: number
  /** Names of one inode; ext4 stops at 65,000. */
  readonly hardLinks: number
  /** Manifests, indexes and image configs. containers/image has the same bound for manifests. */
  readonly jsonBytes: number
  readonly jsonDepth: number
  /** Members of an outer archive, and descriptors of one index. */
  readonly archiveMembers: number
  readonly indexDepth: number
  /** Layers of one image: many times what any driver of others takes. */
  readonly imageLayers: number
  /** zstd window, bytes. The format goes up to 2 TiB; the zstd tool stops at 128 MiB, and so do we. */
  readonly zstdWindowBytes: number
  /** Bytes of the disk that what adds to a store, or writes an image elsewhere, leaves free (DISK_FULL). 0: none are kept. */
  readonly reserveBytes: number
  /** Of the whole file system: less than `reserveBytes` is left free where this part of it is less. */
  readonly reservePercent: number
}

export const defaultLimits: Limits = {
  layerBytes: 64 * GiB,
  compressionRatio: 1000,
  ratioFreeBytes: GiB,
  layerEntries: 2_000_000,
  tarMetaBytes: MiB,
  tarMetaHeaders: 8,
  tarMetaTotalBytes: 256 * MiB,
  pathBytes: 4095,
  nameBytes: 255,
  pathDepth: 1024,
  xattrs: 64,
  xattrBytes: 64 * KiB,
  hardLinks: 65_000,
  jsonBytes: 4 * MiB,
  jsonDepth: 64,
  archiveMembers: 100_000,
  indexDepth: 8,
  imageLayers: 10_000,
  zstdWindowBytes: 128 * MiB,
  reserveBytes: 64 * MiB,
  reservePercent: 1,
}

/** Symlinks followed in one path: Linux MAXSYMLINKS. */
export const symlinkHops = 40

/** Bytes read at once from files and streams. */
export const chunkBytes = MiB

/** Bytes of content in the largest block of a layer file: the LZ4 frame format's block maximum of that name. */
export const blockBytes = 256 * KiB

/**
 * Small contents share blocks of about this size, so that reading one of them reads and decompresses little. Measured with 46,000
 * files of 4 KB: with 8 KiB a random read takes half of the time that it takes with 16, for 0.8 % more bytes on the disk; what is
 * not compressed costs nothing to be cut smaller.
 */
export const smallBlockBytes = { lz4: 8 * KiB, none: 4 * KiB } as const

/** The error of a bound that was passed; `what` is the thing that is too large, in words. */
export function limitError(limit: keyof Limits, max: number, seen: number | bigint, what: string): PhylloError {
  return new PhylloError('LIMIT_EXCEEDED', `${what}: ${seen} is over the limit of ${max} (${limit})`, {
    limit,
    max,
    seen,
  })
}
