/** stat, lstat, fstat, statfs, access, exists. */
import fs from 'node:fs'
import { promisify } from 'node:util'
import { isErrno } from '../../errors.js'
import { callbackArgument, checkedByNode, optionsArgument, pathArgument } from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError } from '../union/errno.js'
import { S_IFDIR, S_IFMT } from '../union/mode.js'
import { faultNumber } from '../union/path-cache.js'
import type { Union } from '../union/union.js'
import type { Calls, Implementation } from './forms.js'

let notDirectoryIsAbsence: boolean | undefined

/** Whether `throwIfNoEntry: false` covers a failure: ENOENT always, ENOTDIR where the running Node's statSync says so (26 does). */
function isAbsence(code: string, syscall: string): boolean {
  if (code !== 'ENOTDIR' || syscall !== 'stat') return code === 'ENOENT'
  if (notDirectoryIsAbsence === undefined) {
    try {
      notDirectoryIsAbsence = fs.statSync(`${process.execPath}/`, { throwIfNoEntry: false }) === undefined
    } catch (error) {
      if (!isErrno(error, 'ENOTDIR')) throw error
      notDirectoryIsAbsence = false
    }
  }
  return notDirectoryIsAbsence
}

const absent = faultNumber('ENOENT')
const noOptions = {}

/** The four stat functions differ in whether they follow, and in whether absence may be undefined. */
function statSync(union: Union, follow: boolean, syscall: string): Implementation {
  return (path, options) => {
    const known = typeof path === 'string' ? union.find(path, follow) : undefined
    if (known !== undefined && (options === undefined || (options !== null && typeof options === 'object'))) {
      const { bigint, throwIfNoEntry } = (options ?? noOptions) as { bigint?: unknown; throwIfNoEntry?: unknown }
      if (known >= 0 && !bigint) return union.statsAt(known)
      if (throwIfNoEntry === false && known === absent) return undefined
    }
    return statSlowly(union, path, options, follow, syscall)
  }
}

function statSlowly(union: Union, path: unknown, options: unknown, follow: boolean, syscall: string) {
  const argument = pathArgument(path, fs.statSync)
  const { bigint, throwIfNoEntry } = optionsArgument(options, accepted)
  const found = union.lookup(argument, follow)
  if (typeof found === 'string') {
    if (throwIfNoEntry === false && isAbsence(found, syscall)) return undefined
    throw errnoError(found, syscall, argument.text)
  }
  return bigint ? union.bigStats(found) : union.stats(found)
}

/** node:fs looks at no option of these functions but its own. */
function accepted(): undefined {
  return undefined
}

export function fstatOf(union: Union): Implementation {
  return (fd, options) => {
    const { dentry } = union.handles.get(fd, 'fstat')
    return optionsArgument(options, accepted).bigint ? union.bigStats(dentry) : union.stats(dentry)
  }
}

function statfs(union: Union): Implementation {
  return (path, options) => {
    union.at(pathArgument(path, fs.statfsSync), true, 'statfs')
    return union.statFs(optionsArgument(options, accepted).bigint === true)
  }
}

/** As root: everything is readable, everything of a container and nothing of a view writable, and X needs one x bit. */
function access(union: Union): Implementation {
  return (path, mode) => {
    const argument = pathArgument(path)
    const wanted = accessMode(mode)
    const { mode: bits } = union.at(argument, true, 'access')
    if (wanted & fs.constants.W_OK && union.readOnly) throw errnoError('EROFS', 'access', argument.text)
    const searchable = (bits & S_IFMT) === S_IFDIR || (bits & 0o111) !== 0
    if (wanted & fs.constants.X_OK && !searchable) throw errnoError('EACCES', 'access', argument.text)
  }
}

function accessMode(mode: unknown): number {
  if (mode === undefined || mode === null || typeof mode === 'function') return fs.constants.F_OK
  if (typeof mode !== 'number' || !Number.isInteger(mode) || mode < 0 || mode > 7) {
    checkedByNode(() => fs.accessSync('', mode as number))
  }
  return mode as number
}

/** Whether there is something; what is not a path is not there. */
function existsSync(union: Union): Implementation {
  return path => {
    const known = typeof path === 'string' ? union.find(path, true) : undefined
    if (known !== undefined) return known >= 0
    let found: Dentry | string
    try {
      found = union.walk(pathArgument(path), true)
    } catch (error) {
      if (error instanceof TypeError) return false
      throw error
    }
    return typeof found !== 'string'
  }
}

/** `exists` calls back without an error, so it needs a form of its own, and one for promisify. */
export function existsCallback(union: Union): Implementation {
  const sync = existsSync(union)
  const exists = (...args: unknown[]) => {
    const callback = callbackArgument(args)
    const found = sync(...args)
    setImmediate(() => callback(found))
  }
  Object.defineProperty(exists, promisify.custom, { value: async (path: unknown) => sync(path) })
  return exists
}

export function attributeCalls(union: Union): Calls {
  return {
    stat: { sync: statSync(union, true, 'stat') },
    lstat: { sync: statSync(union, false, 'lstat') },
    fstat: { sync: fstatOf(union) },
    statfs: { sync: statfs(union) },
    access: { sync: access(union) },
    exists: { sync: existsSync(union) },
  }
}
