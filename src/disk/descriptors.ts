/** Descriptors of jobs, which read and write at once: opened and closed with errors that say where. */
import { closeSync, openSync } from 'node:fs'
import { finishing } from '../endings.js'
import { isErrno, told } from '../errors.js'

/**
 * Of a file that was only read. That closing fails takes nothing away from what was read, and closed it is all the same (Linux,
 * close(2)); that there is no such descriptor is a mistake of ours.
 */
export function closeRead(fd: number, close: (fd: number) => void = closeSync): void {
  try {
    close(fd)
  } catch (error) {
    if (isErrno(error, 'EBADF') || !(error instanceof Error && 'syscall' in error)) throw error
  }
}

/** Makes the file, which must not be there, and closes it when the work has ended. Throws STORE_IO, and what the work throws. */
export async function withNewFile<T>(path: string, mode: number, work: (fd: number) => Promise<T>): Promise<T> {
  const fd = told('STORE_IO', { operation: 'open', path }, () => openSync(path, 'wx', mode))
  return finishing(
    () => work(fd),
    () => told('STORE_IO', { operation: 'close', path }, () => closeSync(fd)),
  )
}
