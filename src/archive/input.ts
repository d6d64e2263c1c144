/** Input files of the user: opened without waiting and without believing what they are, read with errors that say where. */
import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { callError, isErrno, PhylloError } from '../errors.js'

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

/** A file that is open. */
export interface Input {
  readonly handle: FileHandle
  readonly path: string
  /** For messages. */
  readonly label: string
}

/** What it is. Throws INPUT_IO. */
export function statusOf({ handle, path, label }: Input): Promise<Stats> {
  return handle.stat().catch(cause => Promise.reject(inputError(cause, label, path)))
}

/** That closing fails takes nothing away from what was read. */
export async function closeInput(handle: FileHandle): Promise<void> {
  await handle.close().catch(() => undefined)
}

/** Fills `into` from `position` on, less only at the end of the file. */
export async function readAt({ handle, path, label }: Input, into: Uint8Array, position: number): Promise<number> {
  let done = 0
  try {
    while (done < into.length) {
      const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
  } catch (cause) {
    throw inputError(cause, label, path)
  }
  return done
}

/** Exactly the bytes asked for, or SIZE_MISMATCH. */
export async function readExactly(input: Input, sizeBytes: number, position: number): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes)
  const read = await readAt(input, bytes, position)
  if (read === sizeBytes) return bytes
  throw new PhylloError('SIZE_MISMATCH', `${input.label}: ends after ${read} of ${sizeBytes} bytes`)
}

export function inputError(cause: unknown, label: string, path?: string): PhylloError {
  return callError('INPUT_IO', cause, { path, said: `${label}: cannot be read` })
}
