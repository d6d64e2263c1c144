/**
 * System calls of Linux that node:fs lacks and that Docker's own store needs. Each is synchronous, and throws errno errors of the
 * shape of node:fs: code, errno, syscall, path, message. A kernel that does not have a call says ENOSYS.
 *
 * Paths are bytes where they come from layers. None of these calls follows a symlink at the end of its path. A zero in a path
 * or a name is a TypeError (ERR_INVALID_ARG_VALUE). A call that a signal interrupted is made again.
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
  /** With MS_BIND or MS_MOVE a path, else what the file system makes of it. */
  readonly source: string
  readonly target: string
  readonly type: string
  /** MS_* of mount(2). */
  readonly flags: number
  /** Of the file system, as `mount -o` takes them. At most a page without its last byte, else E2BIG: the kernel cuts off the rest. */
  readonly data: string
}

/** openat2(2): how far a path may lead. */
export interface OpenHow {
  /** O_* of open(2); O_CLOEXEC and O_NOFOLLOW are always added. */
  readonly flags: number
  /** Permissions of what O_CREAT makes. The kernel refuses one without O_CREAT. */
  readonly mode?: number
  /** RESOLVE_* of openat2(2). */
  readonly resolve: number
}

/** What getdents64(2) says of an entry, without looking at the file itself. */
export interface DirectoryEntry {
  readonly name: ByteString
  /** DT_*; DT_UNKNOWN where the file system does not keep it. */
  readonly type: number
}

export interface SystemCalls {
  /** mknod(2): `mode` with type bits. A major above 0xfff or a minor above 0xfffff is EINVAL. */
  mknod(path: CallPath, mode: number, major: number, minor: number): void
  lsetxattr(path: CallPath, name: ByteString, value: Uint8Array): void
  /** Undefined: there is none of this name (ENODATA), or it is one of `trusted.*` and this process may not see those. */
  lgetxattr(path: CallPath, name: ByteString): Buffer | undefined
  /** Names, in the order of the file system. */
  llistxattr(path: CallPath): ByteString[]
  lremovexattr(path: CallPath, name: ByteString): void
  /** utimensat(2) with AT_SYMLINK_NOFOLLOW: to the nanosecond, where node:fs has a double. */
  utimensat(path: CallPath, atime: CallTime, mtime: CallTime): void
  /** mount(2). Needs /proc, through which the target is named once it is known to be no symlink (ELOOP). */
  mount(options: MountOptions): void
  /** umount2(2), always with UMOUNT_NOFOLLOW. */
  umount2(target: string, flags: number): void
  /** renameat2(2) with RENAME_NOREPLACE, RENAME_EXCHANGE or RENAME_WHITEOUT. */
  renameat2(from: CallPath, to: CallPath, flags: number): void
  /**
   * Opens a path below a directory that is open; answers the descriptor, which the caller closes with `close`. Node does not
   * know it: a thread that is killed leaves it open. A FIFO without a writer waits, unless O_NONBLOCK is among the flags.
   */
  openat2(directory: number, path: CallPath, how: OpenHow): number
  /** close(2) of what openat2 opened. In a worker thread fs.closeSync warns about descriptors that node:fs did not open. */
  close(fd: number): void
  /** The next entries of a directory that is open for reading, some or none, without `.` and `..`; undefined at its end. */
  getdents64(directory: number): DirectoryEntry[] | undefined
  /** syncfs(2): flushes the file system that `fd` stands on. Waits. */
  syncfs(fd: number): void
}

/** linux/openat2.h: nothing on the way may be on another mount. */
export const RESOLVE_NO_XDEV = 0x01
/** No links of /proc that lead anywhere without a path. */
export const RESOLVE_NO_MAGICLINKS = 0x02
/** No symlink anywhere in the path. */
export const RESOLVE_NO_SYMLINKS = 0x04
/** What leads out of the directory is EXDEV: absolute paths and symlinks, `..` above it. */
export const RESOLVE_BENEATH = 0x08
/** The directory is the root: absolute paths and symlinks begin there, `..` stays there. */
export const RESOLVE_IN_ROOT = 0x10

/** linux/fs.h, for renameat2. */
export const RENAME_NOREPLACE = 1
export const RENAME_EXCHANGE = 2
/** Leaves a whiteout, a device 0:0, where the file was. */
export const RENAME_WHITEOUT = 4

/** linux/mount.h, for mount. */
export const MS_RDONLY = 1
export const MS_NOSUID = 2
export const MS_NODEV = 4
export const MS_NOEXEC = 8
export const MS_REMOUNT = 32
export const MS_BIND = 4096
export const MS_MOVE = 8192
export const MS_REC = 16384
export const MS_PRIVATE = 1 << 18

/** For umount2: taken out of the tree at once, and away when nobody uses it any more. */
export const MNT_DETACH = 2
export const UMOUNT_NOFOLLOW = 8

/** linux/fcntl.h; the same number on every architecture that Node runs on. node:fs has no constant for it. */
export const O_PATH = 0o10000000

/** dirent.h. */
export const DT_UNKNOWN = 0
export const DT_DIR = 4
export const DT_REG = 8
export const DT_LNK = 10
