/** mknod, utimensat and renameat2. */
import { constants } from 'node:os'
import { cPath } from './c-strings.js'
import { checked, type LinuxLibc } from './linux-libc.js'
import type { CallTime, SystemCalls } from './system-calls.js'

/** Paths begin at the current directory. */
const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100

const majorMax = 0xfff
const minorMax = 0xfffff
const nsecMax = 999_999_999
const timesBytes = 32

export function bindPathCalls({
  library,
  numbers,
  attempt,
}: LinuxLibc): Pick<SystemCalls, 'mknod' | 'utimensat' | 'renameat2'> {
  const mknodat = library.func('long syscall(long number, long directory, const char *path, long mode, long device)')
  const renameat2 = library.func(
    'long syscall(long number, long fromDirectory, const char *from, long toDirectory, const char *to, long flags)',
  )
  const utimensat = library.func('int utimensat(int directory, const char *path, const void *times, int flags)')
  const times = Buffer.alloc(timesBytes)
  return {
    mknod(path, mode, major, minor) {
      const device = deviceNumber(major, minor)
      const made =
        device === undefined
          ? -constants.errno.EINVAL
          : attempt(mknodat, numbers.mknodat, AT_FDCWD, cPath(path), mode, device)
      checked(made, 'mknod', path)
    },
    utimensat(path, atime, mtime) {
      const set =
        putTime(times, 0, atime) && putTime(times, timesBytes / 2, mtime)
          ? attempt(utimensat, AT_FDCWD, cPath(path), times, AT_SYMLINK_NOFOLLOW)
          : -constants.errno.EINVAL
      checked(set, 'utimensat', path)
    },
    renameat2(from, to, flags) {
      const renamed = attempt(renameat2, numbers.renameat2, AT_FDCWD, cPath(from), AT_FDCWD, cPath(to, 'dest'), flags)
      checked(renamed, 'renameat2', from, to)
    },
  }
}

/**
 * As the kernel takes it (new_encode_dev of linux/kdev_t.h), in 32 bits. Undefined where it has no room: glibc says EINVAL then,
 * musl makes another device.
 */
function deviceNumber(major: number, minor: number): number | undefined {
  const fits = (value: number, max: number) => Number.isInteger(value) && value >= 0 && value <= max
  if (!fits(major, majorMax) || !fits(minor, minorMax)) return undefined
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}

/** struct timespec: seconds (8), nanoseconds (8, of which the upper half stays zero). False for what is no time; nanoseconds above the range mean "now" and "leave it" to the kernel. */
function putTime(times: Buffer, offset: number, { sec, nsec }: CallTime): boolean {
  if (!Number.isSafeInteger(sec) || !Number.isInteger(nsec) || nsec < 0 || nsec > nsecMax) return false
  times.writeUInt32LE(sec >>> 0, offset)
  times.writeInt32LE(Math.floor(sec / 2 ** 32), offset + 4)
  times.writeUInt32LE(nsec, offset + 8)
  return true
}
