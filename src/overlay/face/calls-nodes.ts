/** What node:fs lacks: special files, and extended attributes. In the three forms, on a container alone. */
import type { ByteString } from '../../byte-string.js'
import { fromText, toText } from '../../byte-string.js'
import { type PathArgument, pathArgument } from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError, sayingIfFull } from '../union/errno.js'
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from '../union/mode.js'
import { creationRefusal } from '../union/open.js'
import { removeXattr, setXattr, type XattrFlag, xattrsOf } from '../union/syscalls-attributes.js'
import { mknod as mknodAt } from '../union/syscalls-names.js'
import type { Union } from '../union/union.js'
import type { Calls, Implementation } from './forms.js'

export interface Device {
  readonly major?: number
  readonly minor?: number
}

export interface XattrOptions {
  /** Whether a symlink at the end of the path is followed; default true. */
  readonly follow?: boolean
}

export interface SetXattrOptions extends XattrOptions {
  /** XATTR_CREATE and XATTR_REPLACE: EEXIST where it is there, ENODATA where it is not. */
  readonly flag?: XattrFlag
}

/** Linux: 12 bits of major number, 20 of minor. */
const mostMajor = 0xfff
const mostMinor = 0xfffff

function number(value: unknown, name: string, most: number): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most) return value as number
  const message = `The value of "${name}" is out of range. It must be >= 0 && <= ${most}. Received ${String(value)}`
  throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' })
}

/** On what can only be read: what is in the way goes first, as for all that makes a name. */
function make(union: Union, path: PathArgument, mode: number, major = 0, minor = 0): void {
  if (union.readOnly) throw errnoError(creationRefusal(union, path, false), 'mknod', path.text)
  mknodAt(union, path, mode, major, minor)
}

function mknod(union: Union): Implementation {
  return (path, mode, device) => {
    const argument = pathArgument(path)
    const bits = number(mode, 'mode', S_IFMT | 0o7777)
    const { major = 0, minor = 0 } = (typeof device === 'object' && device !== null ? device : {}) as Device
    const type = bits & S_IFMT
    if (type === S_IFDIR) throw errnoError('EPERM', 'mknod', argument.text)
    if (type === S_IFLNK) throw errnoError('EINVAL', 'mknod', argument.text)
    const typed = type === 0 ? bits | S_IFREG : bits
    make(union, argument, typed, number(major, 'major', mostMajor), number(minor, 'minor', mostMinor))
  }
}

function mkfifo(union: Union): Implementation {
  return (path, mode) => {
    const bits = typeof mode === 'function' || mode === undefined ? 0o666 : number(mode, 'mode', 0o7777)
    make(union, pathArgument(path), S_IFIFO | bits)
  }
}

interface Target {
  readonly argument: PathArgument
  readonly dentry: Dentry
}

function target(union: Union, path: unknown, options: unknown, syscall: string): Target {
  const argument = pathArgument(path)
  const { follow = true } = (typeof options === 'object' && options !== null ? options : {}) as XattrOptions
  return { argument, dentry: union.at(argument, follow, syscall) }
}

function changedTarget(union: Union, path: unknown, options: unknown, syscall: string): Target {
  const found = target(union, path, options, syscall)
  if (union.readOnly) throw errnoError('EROFS', syscall, found.argument.text)
  return found
}

function nameArgument(name: unknown): ByteString {
  if (typeof name === 'string' && !name.includes('\0')) return fromText(name)
  throw Object.assign(new TypeError('The "name" argument must be of type string, without null bytes'), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
}

function valueArgument(value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.from(value)
  if (ArrayBuffer.isView(value)) return Buffer.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  throw Object.assign(new TypeError('The "value" argument must be of type string or an instance of Buffer'), {
    code: 'ERR_INVALID_ARG_TYPE',
  })
}

function getxattr(union: Union): Implementation {
  return (path, name, options) => {
    const wanted = nameArgument(name)
    const { argument, dentry } = target(union, path, options, 'getxattr')
    const found = xattrsOf(union, dentry).find(xattr => xattr.name === wanted)
    if (found === undefined) throw errnoError('ENODATA', 'getxattr', argument.text)
    return Buffer.from(found.value)
  }
}

function listxattr(union: Union): Implementation {
  return (path, options) => {
    const { dentry } = target(union, path, options, 'listxattr')
    return xattrsOf(union, dentry).map(({ name }) => toText(name as ByteString))
  }
}

function setxattr(union: Union): Implementation {
  return (path, name, value, options) => {
    const xattr = { name: nameArgument(name), value: valueArgument(value) }
    const { argument, dentry } = changedTarget(union, path, options, 'setxattr')
    const { flag } = (typeof options === 'object' && options !== null ? options : {}) as SetXattrOptions
    const fail = (code: string) => errnoError(code, 'setxattr', argument.text)
    const code = sayingIfFull(fail, () => setXattr(union, dentry, xattr, flag))
    if (code !== undefined) throw fail(code)
  }
}

function removexattr(union: Union): Implementation {
  return (path, name, options) => {
    const gone = nameArgument(name)
    const { argument, dentry } = changedTarget(union, path, options, 'removexattr')
    const fail = (code: string) => errnoError(code, 'removexattr', argument.text)
    const code = sayingIfFull(fail, () => removeXattr(union, dentry, gone))
    if (code !== undefined) throw fail(code)
  }
}

export function nodeCalls(union: Union): Calls {
  return {
    mknod: { sync: mknod(union) },
    mkfifo: { sync: mkfifo(union) },
    getxattr: { sync: getxattr(union) },
    listxattr: { sync: listxattr(union) },
    setxattr: { sync: setxattr(union) },
    removexattr: { sync: removexattr(union) },
  }
}
