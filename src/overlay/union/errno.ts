/**
 * Failures of a view, with the shape of node:fs: `code`, `errno` (negative), `syscall`, `path`, `dest`, and libuv's text.
 * Numbers and texts are the running Node's own.
 */
import { getSystemErrorMap } from 'node:util'

type Known = { readonly errno: number; readonly text: string }

let table: Map<string, Known> | undefined

function known(code: string): Known {
  table ??= new Map([...getSystemErrorMap()].map(([errno, [name, text]]) => [name, { errno, text }]))
  return table.get(code) ?? { errno: -1, text: 'unknown error' }
}

export function errnoError(code: string, syscall: string, path?: string, dest?: string): NodeJS.ErrnoException {
  const { errno, text } = known(code)
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

/** What node:fs rejects with when `signal` was aborted. */
export function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  error.name = 'AbortError'
  return Object.assign(error, { code: 'ABORT_ERR' })
}

/** An error of Node's own table (`ERR_…`) that is not about arguments. */
export function nodeError(
  code: string,
  message: string,
  Class: ErrorConstructor | RangeErrorConstructor = Error,
): Error {
  return Object.assign(new Class(message), { code })
}
