/**
 * System calls of Linux that node:fs lacks and that Docker's own store needs. Each is synchronous, and throws errno errors of the
 * shape of node:fs: code, errno, syscall, path, message.
 *
 * Paths are bytes where they come from layers. None of these calls follows a symlink at the end of its path.
 */
import type { ByteString } from '../byte-string.js'

export type CallPath = string | Buffer

export interface CallTime {
  /** Whole seconds since 1970, may be negative. */
  readonly sec: number
  /** 0 to 999,999,999. */
  readonly nsec: number
}

export interface MountOptions {
  readonly source: string
  readonly target: string
  readonly type: string
  /** MS_* of mount(2). */
  readonly flags: number
  /** Of the file system, as `mount -o` takes them. */
  readonly data: string
}

/** openat2(2): how far a path may lead. */
export interface OpenHow {
  /** O_* of open(2); O_CLOEXEC is always added. */
  readonly flags: number
  readonly mode?: number
  /** RESOLVE_* of openat2(2). */
  readonly resolve: number
}

export interface SystemCalls {
  /** mknod(2): `mode` with type bits. */
  mknod(path: CallPath, mode: number, major: number, minor: number): void
  lsetxattr(path: CallPath, name: ByteString, value: Uint8Array): void
  /** Undefined: there is none of this name (ENODATA). */
  lgetxattr(path: CallPath, name: ByteString): Buffer | undefined
  /** Names, in the order of the file system. */
  llistxattr(path: CallPath): ByteString[]
  lremovexattr(path: CallPath, name: ByteString): void
  /** utimensat(2) with AT_SYMLINK_NOFOLLOW: to the nanosecond, where node:fs has a double. */
  utimensat(path: CallPath, atime: CallTime, mtime: CallTime): void
  mount(options: MountOptions): void
  umount2(target: string, flags: number): void
  /** renameat2(2) with RENAME_NOREPLACE, RENAME_EXCHANGE or RENAME_WHITEOUT. */
  renameat2(from: CallPath, to: CallPath, flags: number): void
  /** Opens a path below a directory that is open; answers the descriptor, which the caller closes. */
  openat2(directory: number, path: CallPath, how: OpenHow): number
  /** syncfs(2): flushes the file system that `fd` stands on. Waits. */
  syncfs(fd: number): void
}
