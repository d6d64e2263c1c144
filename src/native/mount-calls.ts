/**
 * mount and umount2.
 *
 * Invariant: neither follows a symlink at the end of a path. mount(2) itself would, so it is given the name that /proc has for
 * the file, which was opened without following.
 */
import { closeSync, constants as files, fstatSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { type CString, cPath } from './c-strings.js'
import { errnoOf } from './errno-error.js'
import { checked, type LinuxLibc } from './linux-libc.js'
import { MS_BIND, MS_MOVE, MS_REMOUNT, O_PATH, type SystemCalls, UMOUNT_NOFOLLOW } from './system-calls.js'

export function bindMountCalls({ library, attempt }: LinuxLibc): Pick<SystemCalls, 'mount' | 'umount2'> {
  const mount = library.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  )
  const umount2 = library.func('int umount2(const char *target, int flags)')
  const pageBytes = library.func('int getpagesize()')() as number
  return {
    mount({ source, target, type, flags, data }) {
      const [from, kind, options] = [cPath(source, 'source'), cPath(type, 'type'), cPath(data, 'data')]
      const attemptAt = (source: CString, target: CString) => attempt(mount, source, target, kind, flags, options)
      const mountAt = (to: CString) =>
        sourceIsPath(flags) ? pinned(source, path => attemptAt(path, to)) : attemptAt(from, to)
      checked(
        Buffer.byteLength(data) >= pageBytes ? -constants.errno.E2BIG : pinned(target, mountAt),
        'mount',
        source,
        target,
      )
    },
    umount2(target, flags) {
      checked(attempt(umount2, cPath(target, 'target'), flags | UMOUNT_NOFOLLOW), 'umount2', target)
    },
  }
}

/** In the order in which the kernel looks at flags (path_mount of fs/namespace.c). */
function sourceIsPath(flags: number): boolean {
  return (flags & MS_REMOUNT) === 0 && (flags & (MS_BIND | MS_MOVE)) !== 0
}

/** Calls with a name for the file that no symlink can turn elsewhere. Answers the errno, negative, where there is no such file. */
function pinned(path: string, call: (name: string) => number): number {
  let fd: number
  try {
    fd = openSync(path, O_PATH | files.O_NOFOLLOW)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return errno
  }
  try {
    return fstatSync(fd).isSymbolicLink() ? -constants.errno.ELOOP : call(`/proc/self/fd/${fd}`)
  } finally {
    closeSync(fd)
  }
}
