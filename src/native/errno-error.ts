/**
 * Failures of system calls, with the shape of node:fs: `errno` (negative), `code`, `syscall`, `path`, `dest`, and libuv's
 * text. Numbers and texts are the running Node's own.
 */
import { getSystemErrorMap } from 'node:util'

/** Of an errno of this machine, positive as C has it. What libuv has no name for is called as node:fs calls it. */
export function errnoError(errno: number, syscall: string, path?: string, dest?: string): NodeJS.ErrnoException {
  const unknown = `Unknown system error ${-errno}`
  const [code, text] = getSystemErrorMap().get(-errno) ?? [unknown, unknown]
  return nodeErrno({ errno: -errno, code, text }, syscall, path, dest)
}

export function nodeErrno(
  { errno, code, text }: { readonly errno: number; readonly code: string; readonly text: string },
  syscall: string,
  path?: string,
  dest?: string,
): NodeJS.ErrnoException {
  let message = `${code}: ${text}, ${syscall}`
  if (path !== undefined) message += ` '${path}'`
  if (dest !== undefined) message += ` -> '${dest}'`
  const error: NodeJS.ErrnoException & { dest?: string } = new Error(message)
  error.errno = errno
  error.code = code
  error.syscall = syscall
  if (path !== undefined) error.path = path
  if (dest !== undefined) error.dest = dest
  return error
}
