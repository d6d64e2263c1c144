/** chmod, chown, utimes and access of a container, and what FileHandle has of them. */
import fs from 'node:fs'
import type { Time } from '../../tar/numbers.js'
import { checkedByNode, modeArgument, pathArgument } from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError, sayingIfFull } from '../union/errno.js'
import { chmod, chown, setTimes } from '../union/syscalls-attributes.js'
import type { Union } from '../union/union.js'
import type { Calls, Implementation } from './forms.js'

const noId = 2 ** 32

/** A user or group; -1 leaves it as it is. */
function idArgument(id: unknown, check: (bad: number) => unknown): number {
  if (!Number.isInteger(id) || (id as number) < -1 || (id as number) >= noId) checkedByNode(() => check(id as number))
  return (id as number) < 0 ? noId - 1 : (id as number)
}

/** Seconds since the epoch, as Node reads them: numbers, digits, Dates. */
function seconds(time: unknown): number {
  if (typeof time === 'number' && Number.isFinite(time) && time >= 0) return time
  if (time instanceof Date && !Number.isNaN(time.getTime())) return time.getTime() / 1000
  const { _toUnixTimestamp: nodes } = fs as unknown as { _toUnixTimestamp?: (time: unknown) => number }
  if (nodes !== undefined) return nodes(time)
  checkedByNode(() => fs.utimesSync('', time as number, 0))
  return Number(time)
}

const micro = 1_000_000

/** A double of these years holds microseconds, and no more. */
function timeArgument(time: unknown): Time {
  const total = seconds(time)
  // NaN and the infinities are the present to the C library, or nothing at all
  if (!Number.isFinite(total)) return timeArgument(Date.now() / 1000)
  const sec = Math.floor(total)
  const rounded = Math.round((total - sec) * micro)
  return rounded === micro ? { sec: sec + 1, nsec: 0 } : { sec, nsec: rounded * 1000 }
}

type Change = (union: Union, dentry: Dentry) => void

/** What is done to a file, from the arguments after the path or descriptor. */
interface Changes {
  readonly [name: string]: (rest: readonly unknown[]) => Change
}

const changes = {
  chmod: ([mode]) => {
    if (mode === undefined || mode === null) checkedByNode(() => fs.chmodSync('', mode as never))
    const bits = modeArgument(mode, bad => fs.chmodSync('', bad))
    return (union, dentry) => chmod(union, dentry, bits)
  },
  chown: ([uid, gid]) => {
    const user = idArgument(uid, bad => fs.chownSync('', bad, 0))
    const group = idArgument(gid, bad => fs.chownSync('', 0, bad))
    return (union, dentry) => chown(union, dentry, user, group)
  },
  utimes: ([atime, mtime]) => {
    const [read, modified] = [timeArgument(atime), timeArgument(mtime)]
    return (union, dentry) => setTimes(union, dentry, read, modified)
  },
} satisfies Changes

function onPath(union: Union, name: keyof typeof changes, syscall: string, follow = true): Implementation {
  return (path, ...rest) => {
    const argument = pathArgument(path)
    const change = changes[name](rest)
    const dentry = union.at(argument, follow, syscall)
    sayingIfFull(
      code => errnoError(code, syscall, argument.text),
      () => change(union, dentry),
    )
  }
}

function onFd(union: Union, name: keyof typeof changes, syscall: string): Implementation {
  return (fd, ...rest) => {
    const change = changes[name](rest)
    const { dentry } = union.handles.get(fd, syscall)
    sayingIfFull(
      code => errnoError(code, syscall),
      () => change(union, dentry),
    )
  }
}

/** Where the kernel has no such call: of a symlink it cannot be. */
function lchmod(union: Union): Implementation {
  return (path, mode) => {
    const argument = pathArgument(path)
    const change = changes.chmod([mode])
    const dentry = union.at(argument, false, 'lchmod')
    if (union.tree.isSymlink(dentry)) throw errnoError('EOPNOTSUPP', 'lchmod', argument.text)
    change(union, dentry)
  }
}

export function changeAttributeCalls(union: Union): Calls {
  return {
    chmod: { sync: onPath(union, 'chmod', 'chmod') },
    lchmod: { sync: lchmod(union) },
    fchmod: { sync: onFd(union, 'chmod', 'fchmod') },
    chown: { sync: onPath(union, 'chown', 'chown') },
    lchown: { sync: onPath(union, 'chown', 'lchown', false) },
    fchown: { sync: onFd(union, 'chown', 'fchown') },
    utimes: { sync: onPath(union, 'utimes', 'utime') },
    lutimes: { sync: onPath(union, 'utimes', 'lutime', false) },
    futimes: { sync: onFd(union, 'utimes', 'futime') },
  }
}
