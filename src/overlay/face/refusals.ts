/**
 * Everything of node:fs that would change a file: refused with the error that a file system mounted read-only gives. What
 * succeeds there without changing anything (mkdir -p of a directory, rm -f of nothing, fsync) succeeds here.
 */
import fs from 'node:fs'
import { type AnyOptions, flagsArgument, optionsArgument, type PathArgument, pathArgument } from '../union/arguments.js'
import { errnoError, nodeError } from '../union/errno.js'
import {
  changeRefusal,
  creationRefusal,
  openable,
  removalRefusal,
  renameCodes,
  rmdirCodes,
  temporaryName,
  unlinkCodes,
} from '../union/open.js'
import type { Union } from '../union/union.js'
import type { Calls, Implementation } from './forms.js'

const writeFlags = fs.constants.O_WRONLY | fs.constants.O_CREAT

function accepted(): undefined {
  return undefined
}

/** Refuses a function over one path; `why` is the code. */
function onPath(syscall: string, why: (argument: PathArgument) => string): Implementation {
  return path => {
    const argument = pathArgument(path)
    throw errnoError(why(argument), syscall, argument.text)
  }
}

/** Refuses a function over two paths; `check` is Node's, for the names that its messages give to the arguments. */
function onPaths(
  syscall: string,
  check: (from: string, to: string) => unknown,
  why: (from: PathArgument, to: PathArgument, more: unknown) => string,
): Implementation {
  return (from, to, more) => {
    const first = pathArgument(from, bad => check(bad, ''))
    const second = pathArgument(to, bad => check('', bad))
    throw errnoError(why(first, second, more), syscall, first.text, second.text)
  }
}

function onFd(union: Union, code: string, syscall: string): Implementation {
  return fd => {
    union.handles.get(fd, syscall)
    throw errnoError(code, syscall)
  }
}

/** fsync has nothing to do, and says so when the descriptor is open. */
function onFdNothing(union: Union, syscall: string): Implementation {
  return fd => {
    union.handles.get(fd, syscall)
  }
}

function writeFile(union: Union, flag: string): Implementation {
  return (path, _data, options) => {
    const { flag: flags = flag } = optionsArgument(options)
    if (typeof path === 'number') {
      union.handles.get(path, 'write')
      throw errnoError('EBADF', 'write')
    }
    const argument = pathArgument(path)
    const opened = openable(union, argument, flagsArgument(flags))
    // Open for reading, by a flag that asks for no more, is no error before the first write
    throw typeof opened === 'string' ? errnoError(opened, 'open', argument.text) : errnoError('EBADF', 'write')
  }
}

function truncate(union: Union): Implementation {
  return path => {
    if (typeof path === 'number') {
      union.handles.get(path, 'ftruncate')
      throw errnoError('EINVAL', 'ftruncate')
    }
    const argument = pathArgument(path)
    const opened = openable(union, argument, fs.constants.O_RDWR)
    throw errnoError(typeof opened === 'string' ? opened : 'EROFS', 'open', argument.text)
  }
}

function mkdir(union: Union): Implementation {
  return (path, options) => {
    const argument = pathArgument(path)
    const { recursive } = typeof options === 'object' ? optionsArgument(options, accepted) : ({} as AnyOptions)
    const found = recursive ? union.lookup(argument, true) : undefined
    if (typeof found === 'object' && found.directory !== undefined) return undefined
    const code = creationRefusal(union, argument, true)
    throw errnoError(recursive && code === 'ENOENT' ? 'EROFS' : code, 'mkdir', argument.text)
  }
}

function mkdtemp(union: Union): Implementation {
  return (prefix, options) => {
    optionsArgument(options)
    const argument = temporaryName(pathArgument(prefix, bad => fs.mkdtempSync(bad)))
    throw errnoError(creationRefusal(union, argument, true), 'mkdtemp', argument.text)
  }
}

function rm(union: Union): Implementation {
  return (path, options) => {
    const argument = pathArgument(path)
    const { force, recursive } = optionsArgument(options, o => fs.rmSync('', o))
    const found = union.lookup(argument, false)
    if (found === 'ENOENT' && force) return undefined
    if (typeof found === 'string') throw errnoError(found, 'lstat', argument.text)
    if (found.directory === undefined) throw errnoError('EROFS', 'unlink', argument.text)
    if (recursive) throw errnoError(removalRefusal(union, argument, rmdirCodes), 'rmdir', argument.text)
    throw Object.assign(
      nodeError('ERR_FS_EISDIR', `Path is a directory: rm returned EISDIR (is a directory) ${argument.text}`),
      { errno: 21, syscall: 'rm', path: argument.text },
    )
  }
}

function copyRefusal(union: Union, from: PathArgument, to: PathArgument, mode: unknown): string {
  const source = union.lookup(from, true)
  if (typeof source === 'string') return source
  const exclusive = typeof mode === 'number' && (mode & fs.constants.COPYFILE_EXCL) !== 0 ? fs.constants.O_EXCL : 0
  const opened = openable(union, to, writeFlags | exclusive)
  return typeof opened === 'string' ? opened : 'EROFS'
}

function cp(union: Union): Implementation {
  return (from, to, options) => {
    const source = pathArgument(from, bad => fs.cpSync(bad, ''))
    const target = pathArgument(to, bad => fs.cpSync('', bad))
    const { recursive } = optionsArgument(options, accepted)
    const found = union.lookup(source, false)
    if (typeof found === 'string') throw errnoError(found, 'lstat', source.text)
    if (found.directory !== undefined && !recursive) {
      throw nodeError('ERR_FS_EISDIR', `Recursive option not enabled, cannot copy a directory: ${source.text}`)
    }
    throw errnoError('EROFS', 'cp', source.text, target.text)
  }
}

function symlink(union: Union): Implementation {
  return onPaths('symlink', fs.symlinkSync, (target, path) =>
    target.text === '' ? 'ENOENT' : creationRefusal(union, path, false),
  )
}

function link(union: Union): Implementation {
  return onPaths('link', fs.linkSync, (from, to) => {
    const source = union.lookup(from, false)
    return typeof source === 'string' ? source : creationRefusal(union, to, false)
  })
}

function rename(union: Union): Implementation {
  return onPaths('rename', fs.renameSync, (from, to) => {
    const [source, target] = [from, to].map(path => removalRefusal(union, path, renameCodes)) as [string, string]
    // Both parents are looked up first; a name that cannot be renamed is told before that nothing can
    return [source, target].find(code => code !== 'EROFS' && code !== 'EBUSY') ?? (source === 'EBUSY' ? source : target)
  })
}

export function refusedCalls(union: Union): Calls {
  const change = (syscall: string, follow = true) => ({
    sync: onPath(syscall, argument => changeRefusal(union, argument, follow)),
  })
  const fd = (code: string, syscall: string) => ({ sync: onFd(union, code, syscall) })
  return {
    appendFile: { sync: writeFile(union, 'a') },
    writeFile: { sync: writeFile(union, 'w') },
    truncate: { sync: truncate(union) },
    chmod: change('chmod'),
    lchmod: change('lchmod', false),
    chown: change('chown'),
    lchown: change('lchown', false),
    utimes: change('utime'),
    lutimes: change('lutime', false),
    fchmod: fd('EROFS', 'fchmod'),
    fchown: fd('EROFS', 'fchown'),
    futimes: fd('EROFS', 'futime'),
    ftruncate: fd('EINVAL', 'ftruncate'),
    fsync: { sync: onFdNothing(union, 'fsync') },
    fdatasync: { sync: onFdNothing(union, 'fdatasync') },
    write: fd('EBADF', 'write'),
    writev: fd('EBADF', 'write'),
    mkdir: { sync: mkdir(union) },
    mkdtemp: { sync: mkdtemp(union) },
    mkdtempDisposable: { sync: mkdtemp(union) },
    rm: { sync: rm(union) },
    rmdir: { sync: onPath('rmdir', argument => removalRefusal(union, argument, rmdirCodes)) },
    unlink: { sync: onPath('unlink', argument => removalRefusal(union, argument, unlinkCodes)) },
    rename: { sync: rename(union) },
    link: { sync: link(union) },
    symlink: { sync: symlink(union) },
    copyFile: { sync: onPaths('copyfile', fs.copyFileSync, (from, to, mode) => copyRefusal(union, from, to, mode)) },
    cp: { sync: cp(union) },
  }
}
