/**
 * What C takes for a string: the bytes, closed by a zero.
 *
 * Invariant: a zero among the bytes is refused, as node:fs refuses it. C would stop there and mean another file.
 */
import { inspect } from 'node:util'
import { type ByteString, toBytes } from '../byte-string.js'
import type { CallPath } from './system-calls.js'

/** For a parameter `const char *`: koffi writes text as UTF-8 and closes it; of bytes it passes the address, so they are closed here. */
export type CString = string | Buffer

/** @throws {TypeError} ERR_INVALID_ARG_VALUE for a path that holds a zero. */
export function cPath(path: CallPath, argument = 'path'): CString {
  if (path.includes('\0')) throw zeroInside(path, argument)
  return typeof path === 'string' ? path : closed(path)
}

/** @throws {TypeError} ERR_INVALID_ARG_VALUE for a name that holds a zero. */
export function cName(name: ByteString): CString {
  if (name.includes('\0')) throw zeroInside(name, 'name')
  return Buffer.byteLength(name) === name.length ? name : closed(toBytes(name))
}

function closed(bytes: Buffer): Buffer {
  const longer = Buffer.allocUnsafe(bytes.length + 1)
  bytes.copy(longer)
  longer[bytes.length] = 0
  return longer
}

function zeroInside(value: unknown, argument: string): TypeError {
  const received = inspect(value)
  const shown = received.length > 128 ? `${received.slice(0, 128)}...` : received
  const message = `The argument '${argument}' must be a string or Uint8Array without null bytes. Received ${shown}`
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' })
}
