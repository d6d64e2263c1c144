/**
 * What C takes for a string: the bytes, closed by a zero.
 *
 * Invariant: a zero among the bytes is refused, as node:fs refuses it. C would stop there and mean another file.
 */
import { inspect } from 'node:util'
import type { ByteString } from '../byte-string.js'
import type { CallPath } from './system-calls.js'

/** @throws {TypeError} ERR_INVALID_ARG_VALUE for a path that holds a zero. */
export function cPath(path: CallPath, argument = 'path'): Buffer {
  if (typeof path === 'string') return cText(path, argument, 'utf8')
  if (path.includes(0)) throw zeroInside(path, argument)
  const closed = Buffer.allocUnsafe(path.length + 1)
  path.copy(closed)
  closed[path.length] = 0
  return closed
}

/** @throws {TypeError} ERR_INVALID_ARG_VALUE for a name that holds a zero. */
export function cName(name: ByteString): Buffer {
  return cText(name, 'name', 'latin1')
}

function cText(text: string, argument: string, encoding: 'utf8' | 'latin1'): Buffer {
  if (text.includes('\0')) throw zeroInside(text, argument)
  return Buffer.from(`${text}\0`, encoding)
}

function zeroInside(value: unknown, argument: string): TypeError {
  const received = inspect(value)
  const shown = received.length > 128 ? `${received.slice(0, 128)}...` : received
  const message = `The argument '${argument}' must be a string or Uint8Array without null bytes. Received ${shown}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}
