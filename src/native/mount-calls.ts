/**
 * mount and umount2.
 *
 * Invariant: neither follows a symlink at the end of a path. mount(2) itself would, so it is given the name that /proc has for
 * the file, which was opened without following.
 */
import { closeSync, constants as files, fstatSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { isErrno } from '../errors.js'
import { cPath } from './c-strings.js'
import { checked, type LinuxLibc } from './linux-libc.js'
import { MS_BIND, MS_MOVE, O_PATH, type SystemCalls, UMOUNT_NOFOLLOW } from './system-calls.js'

export function bindMountCalls({ library, attempt }: LinuxLibc): Pick<SystemCalls, 'mount' | 'umount2'> {
  const mount = library.func(
    'int mount(const void *source, const void *target, const void *type, unsigned long flags, const void *data)',
  )
  const umount2 = library.func('int umount2(const void *target, int flags)')
  const dataMax = (library.func('int getpagesize()')() as number) - 1
  return {
    mount({ source, target, type, flags, data }) {
      const text = [cPath(source, 'source'), cPath(target, 'target'), cPath(type, 'type'), cPath(data, 'data')] as const
      const attemptAt = (from: Buffer, to: Buffer) => attempt(mount, from, to, text[2], flags, text[3])
      const mounted =
        text[3].length - 1 > dataMax
          ? -constants.errno.E2BIG
          : pinned(target, to =>
              (flags & (MS_BIND | MS_MOVE)) === 0
                ? attemptAt(text[0], to)
                : pinned(source, from => attemptAt(from, to)),
            )
      checked(mounted, 'mount', source, target)
    },
    umount2(target, flags) {
      checked(attempt(umount2, cPath(target, 'target'), flags | UMOUNT_NOFOLLOW), 'umount2', target)
    },
  }
}

/** Calls with a name for the file that no symlink can turn elsewhere. Answers the errno, negative, where there is no such file. */
function pinned(path: string, call: (name: Buffer) => number): number {
  let fd: number
  try {
    fd = openSync(path, O_PATH | files.O_NOFOLLOW)
  } catch (error) {
    if (isErrno(error) && typeof error.errno === 'number') return error.errno
    throw error
  }
  try {
    return fstatSync(fd).isSymbolicLink() ? -constants.errno.ELOOP : call(cPath(`/proc/self/fd/${fd}`))
  } finally {
    closeSync(fd)
  }
}
