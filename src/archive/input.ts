/** Input files of the user: opened without waiting and without believing what they are, read with errors that say where. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { isErrno, PhylloError } from '../errors.js'

/** Undefined if there is no such file. With `nofollow`, a symlink at the end of the path is refused. */
export async function openInput(path: string, label: string, nofollow = false): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (nofollow ? constants.O_NOFOLLOW : 0)
  try {
    return await open(path, flags)
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR')) return undefined
    if (isErrno(cause, 'ELOOP', 'ENXIO'))
      throw new PhylloError('ARCHIVE_INVALID', `${label}: not a regular file`, { path })
    throw inputError(cause, label, path)
  }
}

/** Fills `into` from `position` on, less only at the end of the file. */
export async function readAt(handle: FileHandle, into: Uint8Array, position: number, label: string): Promise<number> {
  let done = 0
  try {
    while (done < into.length) {
      const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
  } catch (cause) {
    throw inputError(cause, label)
  }
  return done
}

/** Exactly the bytes asked for, or SIZE_MISMATCH. */
export async function readExactly(
  handle: FileHandle,
  sizeBytes: number,
  position: number,
  label: string,
): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes)
  const read = await readAt(handle, bytes, position, label)
  if (read === sizeBytes) return bytes
  throw new PhylloError('SIZE_MISMATCH', `${label}: ends after ${read} of ${sizeBytes} bytes`)
}

export function inputError(cause: unknown, label: string, path?: string): PhylloError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new PhylloError('INPUT_IO', `${label}: cannot be read: ${reason}`, {
    cause,
    ...(path !== undefined && { path }),
  })
}
