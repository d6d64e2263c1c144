/** openat2, close, getdents64 and syncfs: calls on what is open. */
import { constants as files } from 'node:fs'
import { constants } from 'node:os'
import { byteString } from '../byte-string.js'
import { cPath } from './c-strings.js'
import { checked, type LinuxLibc } from './linux-libc.js'
import {
  type DirectoryEntry,
  type OpenHow,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  type SystemCalls,
} from './system-calls.js'

type DescriptorCalls = Pick<SystemCalls, 'openat2' | 'close' | 'getdents64' | 'syncfs'>

/** The same number on every architecture that has a table here; node:fs has no constant for it. */
const O_CLOEXEC = 0o2000000

/** While others rename, the kernel may not be sure of a `..` and says EAGAIN: once more then, so many times. */
const resolveAttempts = 128

/** Some 1,000 entries a call. */
const entriesBytes = 32 * 1024

export function bindDescriptorCalls({ library, numbers, attempt, once }: LinuxLibc): DescriptorCalls {
  const openat2 = library.func(
    'long syscall(long number, long directory, const char *path, const void *how, long size)',
  )
  const getdents64 = library.func('long syscall(long number, long directory, void *entries, long size)')
  const close = library.func('int close(int fd)')
  const syncfs = library.func('int syncfs(int fd)')
  const how = Buffer.alloc(24)
  let entries: Buffer | undefined
  return {
    openat2(directory, path, asked) {
      const [name, attempts] = [cPath(path), putHow(how, asked)]
      let opened = -constants.errno.EAGAIN
      for (let i = 0; i < attempts && opened === -constants.errno.EAGAIN; i++)
        opened = attempt(openat2, numbers.openat2, directory, name, how, how.length)
      return checked(opened, 'openat2', path)
    },
    close(fd) {
      // Interrupted or not, Linux has closed it, and another thread may have been given the number since: never again.
      const closed = once(close, fd)
      if (closed !== -constants.errno.EINTR) checked(closed, 'close')
    },
    getdents64(directory) {
      entries ??= Buffer.allocUnsafeSlow(entriesBytes)
      const length = checked(attempt(getdents64, numbers.getdents64, directory, entries, entries.length), 'getdents64')
      return length === 0 ? undefined : parseEntries(entries, length)
    },
    syncfs(fd) {
      checked(attempt(syncfs, fd), 'syncfs')
    },
  }
}

/** struct open_how: flags, mode, resolve, 8 bytes each, of which the upper halves stay zero. Answers how often to try. */
function putHow(how: Buffer, { flags, mode = 0, resolve }: OpenHow): number {
  how.writeUInt32LE(flags | O_CLOEXEC | files.O_NOFOLLOW, 0)
  how.writeUInt32LE(mode, 8)
  how.writeUInt32LE(resolve, 16)
  return (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) === 0 ? 1 : resolveAttempts
}

/** struct linux_dirent64: inode (8), offset (8), length of the record (2), type (1), name, closed by a zero. */
function parseEntries(bytes: Buffer, length: number): DirectoryEntry[] {
  const found: DirectoryEntry[] = []
  for (let at = 0; at < length; at += bytes.readUInt16LE(at + 16)) {
    const name = byteString(bytes, at + 19, bytes.indexOf(0, at + 19))
    if (name !== '.' && name !== '..') found.push({ name, type: bytes[at + 18]! })
  }
  return found
}
