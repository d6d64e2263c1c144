/**
 * Failures of a view, with the shape of node:fs: `code`, `errno` (negative), `syscall`, `path`, `dest`, and libuv's text.
 * Numbers and texts are the running Node's own.
 */
import { getSystemErrorMap } from 'node:util'
import { isErrno } from '../../errors.js'
import { nodeErrno } from '../../native/errno-error.js'

type Known = { readonly errno: number; readonly text: string }

let table: Map<string, Known> | undefined

function known(code: string): Known {
  table ??= new Map([...getSystemErrorMap()].map(([errno, [name, text]]) => [name, { errno, text }]))
  return table.get(code) ?? { errno: -1, text: 'unknown error' }
}

export function errnoError(code: string, syscall: string, path?: string, dest?: string): NodeJS.ErrnoException {
  return nodeErrno({ code, ...known(code) }, syscall, path, dest)
}

/** Runs a change that may find no room in its container (EDQUOT), and says so in the words of the call. */
export function sayingIfFull<T>(fail: (code: string) => Error, change: () => T): T {
  try {
    return change()
  } catch (error) {
    throw isErrno(error, 'EDQUOT') ? fail('EDQUOT') : error
  }
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
