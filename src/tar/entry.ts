import type { ByteString } from '../byte-string.js'

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo'

/** One file-system entry of a tar archive: what its header and the meta headers before it say, validated. */
export interface TarEntry {
  readonly type: EntryType
  /** As in the archive: a leading `./` or `/` and a trailing `/` are kept. `tar/name.ts` normalises. */
  readonly name: ByteString
  /** Target of a symlink or hard link, verbatim; empty otherwise. */
  readonly linkName: ByteString
  /** Permission bits alone, 0 to 0o7777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of content that follow the header: 0 for all but files. */
  readonly sizeBytes: number
  /** Whole seconds since 1970, may be negative. */
  readonly mtimeSec: number
  /** 0 to 999,999,999; always counted forwards from `mtimeSec`. */
  readonly mtimeNsec: number
  readonly deviceMajor: number
  readonly deviceMinor: number
  /** From PAX `SCHILY.xattr.*`, in archive order. */
  readonly xattrs: readonly Xattr[]
  /** Offset in the archive of the first header block of this entry, meta headers included. */
  readonly headerOffset: number
  /** Offset in the archive of the first content byte (or of the next header, if there is no content). */
  readonly contentOffset: number
}

export interface Xattr {
  readonly name: ByteString
  readonly value: Buffer
}
