/**
 * Extended attributes of a file itself, never of what a symlink points to.
 *
 * Invariant: values and lists may have any length. The buffer that the kernel writes to grows with what it is asked for, and what
 * is answered has memory of its own.
 */
import { constants } from 'node:os'
import { type ByteString, byteString } from '../byte-string.js'
import { cName, cPath } from './c-strings.js'
import { checked, type LinuxLibc } from './linux-libc.js'
import type { SystemCalls } from './system-calls.js'

type XattrCalls = Pick<SystemCalls, 'lsetxattr' | 'lgetxattr' | 'llistxattr' | 'lremovexattr'>

/** Enough for nearly every value and list: capabilities take 20 bytes, an SELinux label some 50. */
const firstBytes = 1024

export function bindXattrCalls({ library, attempt }: LinuxLibc): XattrCalls {
  const set = library.func(
    'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
  )
  const get = library.func('long lgetxattr(const char *path, const char *name, void *value, size_t size)')
  const list = library.func('long llistxattr(const char *path, void *list, size_t size)')
  const remove = library.func('int lremovexattr(const char *path, const char *name)')
  const scratch = new Scratch()
  return {
    lsetxattr(path, name, value) {
      const bytes = value.length === 0 ? null : value
      checked(attempt(set, cPath(path), cName(name), bytes, value.length, 0), 'lsetxattr', path)
    },
    lgetxattr(path, name) {
      const [file, attribute] = [cPath(path), cName(name)]
      const length = scratch.fill((value, bytes) => attempt(get, file, attribute, value, bytes))
      if (length === -constants.errno.ENODATA) return undefined
      return scratch.copy(checked(length, 'lgetxattr', path))
    },
    llistxattr(path) {
      const file = cPath(path)
      const length = checked(
        scratch.fill((names, bytes) => attempt(list, file, names, bytes)),
        'llistxattr',
        path,
      )
      return scratch.names(length)
    },
    lremovexattr(path, name) {
      checked(attempt(remove, cPath(path), cName(name)), 'lremovexattr', path)
    },
  }
}

/** Memory for the kernel to write to, outside of the pool that node shares among small buffers. */
class Scratch {
  #bytes = Buffer.allocUnsafeSlow(firstBytes)

  /**
   * Calls until what is there fits. It may grow between the question how long it is and the next call, so the buffer at least
   * doubles each time; the kernel's own bound is 64 KiB, beyond which it says E2BIG.
   */
  fill(call: (bytes: Buffer | null, length: number) => number): number {
    for (;;) {
      const length = call(this.#bytes, this.#bytes.length)
      if (length !== -constants.errno.ERANGE) return length
      const needed = call(null, 0)
      if (needed < 0) return needed
      this.#bytes = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    }
  }

  copy(length: number): Buffer {
    const copied = Buffer.allocUnsafeSlow(length)
    this.#bytes.copy(copied, 0, 0, length)
    return copied
  }

  /** Each is closed by a zero. */
  names(length: number): ByteString[] {
    return length === 0 ? [] : (byteString(this.#bytes, 0, length - 1).split('\0') as ByteString[])
  }
}
