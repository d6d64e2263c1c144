/** System calls that failed while a layer was unpacked, as errors of the engine: some of them speak of the layer, not of the disk. */
import { printable } from '../byte-string.js'
import { callError, PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'

/** What did fail, and what was known about it. */
export interface FailedCall {
  /** The path that was being made. */
  readonly path: Buffer
  readonly limits: Limits
  /** Whether the file system has room left. */
  hasRoom(): boolean
}

/** An xattr that the file system has no place for; it calls that "no space left" as well. */
const xattrTooLarge = ['ENOSPC', 'E2BIG', 'ERANGE', 'EDQUOT']

/**
 * LIMIT_EXCEEDED for names and paths that are too long for this place and for too many names of one inode; METADATA_INVALID for
 * xattrs that the kernel does not take; else STORE_IO, with `operation` and `path`. What is no errno error passes unchanged.
 */
export function unpackError(error: unknown, { path, limits, hasRoom }: FailedCall): unknown {
  if (error instanceof PhylloError || !(error instanceof Error) || !('syscall' in error)) return error
  const { code: errno, syscall: operation } = error as NodeJS.ErrnoException
  const shown = printable(path.toString('latin1'))
  if (errno === 'ENAMETOOLONG')
    return limitError('pathBytes', limits.pathBytes, path.length, `bytes of the path on disk (${operation})`)
  if (errno === 'EMLINK')
    return limitError(
      'hardLinks',
      limits.hardLinks,
      limits.hardLinks + 1,
      'names that this file system gives one inode',
    )
  if (operation === 'lsetxattr' && (errno === 'EINVAL' || (xattrTooLarge.includes(errno!) && hasRoom())))
    return new PhylloError('METADATA_INVALID', `an xattr that the file system does not take (${errno})`, {
      cause: error,
    })
  return callError('STORE_IO', error, { operation: operation!, path: shown, said: `${operation} ${shown}` })
}
