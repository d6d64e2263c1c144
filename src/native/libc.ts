/**
 * System calls that node:fs lacks, through koffi: flock(2) and syncfs(2). Failures are errno errors with the shape of
 * node:fs (code, errno, syscall, message).
 */
import { errnoError } from './errno-error.js'
import { loadLibrary } from './native.js'

/** Operations of flock(2), the same numbers on Linux, macOS and the BSDs. */
export const LOCK_SH = 1
export const LOCK_EX = 2
export const LOCK_NB = 4
export const LOCK_UN = 8

export interface Libc {
  /**
   * flock(2). Only with LOCK_NB or LOCK_UN: a call that waits would hold this thread for as long as the lock is held.
   *
   * @throws errno errors; EAGAIN (its other name is EWOULDBLOCK) when somebody else holds the lock.
   */
  flock(fd: number, operation: number): void
  /** syncfs(2) on the thread pool: flushes the file system that `fd` stands on. Undefined where there is none (macOS). */
  readonly syncfs: ((fd: number) => Promise<void>) | undefined
}

const muslNames: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  arm: 'libc.musl-armhf.so.1',
  arm64: 'libc.musl-aarch64.so.1',
  ia32: 'libc.musl-x86.so.1',
  ppc64: 'libc.musl-ppc64le.so.1',
  riscv64: 'libc.musl-riscv64.so.1',
  s390x: 'libc.musl-s390x.so.1',
  x64: 'libc.musl-x86_64.so.1',
}

/** What the C library is called here, of glibc and of musl. */
export function libcNames(): readonly string[] {
  if (process.platform === 'darwin') return ['libSystem.B.dylib']
  if (process.platform === 'linux') return ['libc.so.6', muslNames[process.arch] ?? 'libc.so']
  return []
}

/** libc, or undefined where koffi is missing, native code is off, or the platform has no flock. */
export async function loadLibc(): Promise<Libc | undefined> {
  const loaded = await loadLibrary(libcNames())
  if (loaded === undefined) return undefined
  const { koffi, library } = loaded
  const flock = library.func('int flock(int fd, int operation)')
  return {
    flock(fd, operation) {
      if ((operation & (LOCK_NB | LOCK_UN)) === 0) throw new TypeError('flock: only with LOCK_NB or LOCK_UN')
      while (flock(fd, operation) !== 0) {
        const errno = koffi.errno()
        if (errno !== koffi.os.errno.EINTR) throw errnoError(errno, 'flock')
      }
    },
    syncfs: process.platform === 'linux' ? loadSyncfs(loaded) : undefined,
  }
}

function loadSyncfs({ koffi, library }: NonNullable<Awaited<ReturnType<typeof loadLibrary>>>): Libc['syncfs'] {
  const syncfs = library.func('int syncfs(int fd)')
  return fd =>
    new Promise((resolve, reject) => {
      syncfs.async(fd, (error, result) => {
        if (error != null) reject(error)
        else if (result === 0) resolve()
        else reject(errnoError(koffi.errno(), 'syncfs'))
      })
    })
}
