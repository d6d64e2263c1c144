/**
 * Sets what a tree says of a node on what was made for it, in the one order in which nothing undoes what came before: owner
 * (which clears set-id bits and capabilities), xattrs (of which some are in the mode, too), mode, times.
 *
 * Invariants:
 * - A set-user-id or set-group-id bit is set only on what has the owner that it was meant with.
 * - What this process may not set, or the file system does not have, is counted; anything else that fails is thrown.
 * - Symlinks are not followed.
 */
import { chmodSync, fchmodSync, fchownSync, futimesSync, lchownSync, lutimesSync } from 'node:fs'
import { isErrno } from '../errors.js'
import type { SystemCalls } from '../native/system-calls.js'
import type { Born } from '../pool/jobs.js'
import type { NotSetCounter } from './not-set.js'
import { type PlannedNode, typeBits } from './tree-plan.js'

/** A node in the directory. `fd`: of a file that is open. `mode`: what its permissions are now; undefined for a symlink. */
export interface MadeNode {
  readonly path: string | Buffer
  readonly fd?: number
  readonly mode: number | undefined
}

const setIdBits = 0o6000

export class NodeAttributes {
  /** What the last call was that was made, for errors. */
  operation = ''
  readonly #born: Born
  readonly #privileged: boolean
  readonly #calls: SystemCalls | undefined
  readonly #notSet: NotSetCounter

  constructor(born: Born, calls: SystemCalls | undefined, notSet: NotSetCounter) {
    this.#born = born
    this.#privileged = process.geteuid?.() === 0
    this.#calls = calls
    this.#notSet = notSet
  }

  set(node: PlannedNode, made: MadeNode): void {
    const owned = this.#setOwner(node, made)
    if (node.xattrs.length > 0) this.#setXattrs(node, made)
    if (made.mode !== undefined) this.#setMode(node, made, owned)
    this.#setTimes(node, made)
  }

  /** Whether the node has its owner now. */
  #setOwner(node: PlannedNode, { path, fd }: MadeNode): boolean {
    const { uid, gid } = node
    if (uid === this.#born.uid && gid === this.#born.gid) return true
    if (!this.#privileged) {
      this.#notSet.add('owners', node.path)
      return false
    }
    this.operation = 'chown'
    // EINVAL: the user namespace has no such id
    const refusals = ['EPERM', 'EINVAL', 'ENOTSUP']
    return this.#counted('owners', node, refusals, () => {
      if (fd === undefined) lchownSync(path, uid, gid)
      else fchownSync(fd, uid, gid)
    })
  }

  #setXattrs(node: PlannedNode, { path }: MadeNode): void {
    const calls = this.#calls
    if (calls === undefined) {
      this.#notSet.add('xattrs', node.path)
      return
    }
    this.operation = 'setxattr'
    let refused: NodeJS.ErrnoException | undefined
    for (const { name, value } of node.xattrs) {
      try {
        calls.lsetxattr(path, name, value)
      } catch (error) {
        if (!isErrno(error, 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL')) throw error
        refused = error
      }
    }
    if (refused !== undefined) this.#notSet.add('xattrs', node.path)
  }

  #setMode(node: PlannedNode, { path, fd, mode: now }: MadeNode, owned: boolean): void {
    let wanted = node.mode & 0o7777
    // Of a directory they mean who owns what is made in it, and make nobody anybody else
    if (!owned && (wanted & setIdBits) !== 0) {
      wanted &= ~setIdBits
      this.#notSet.add('setid', node.path)
    }
    // An ACL among the xattrs has changed the mode
    if (wanted === now && node.xattrs.length === 0) return
    this.operation = 'chmod'
    this.#counted('modes', node, ['EPERM', 'ENOTSUP'], () => {
      if (fd === undefined) chmodSync(path, wanted)
      else fchmodSync(fd, wanted)
    })
  }

  #setTimes(node: PlannedNode, { path, fd }: MadeNode): void {
    const { mtimeSec: sec, mtimeNsec: nsec } = node
    this.operation = 'utimensat'
    if (nsec !== 0 && this.#calls !== undefined) {
      const time = { sec, nsec }
      this.#calls.utimensat(path, time, time)
      return
    }
    if (nsec % 1000 !== 0) this.#notSet.add('times', node.path)
    // The half keeps what a double cannot hold from becoming the microsecond before
    const time = nsec === 0 ? sec : sec + (Math.floor(nsec / 1000) + 0.5) / 1e6
    if (fd === undefined) lutimesSync(path, time, time)
    else futimesSync(fd, time, time)
  }

  /** Whether it was done; counted as not set when it was refused for one of these reasons. */
  #counted(kind: 'owners' | 'modes', node: PlannedNode, refusals: readonly string[], call: () => void): boolean {
    try {
      call()
      return true
    } catch (error) {
      if (!isErrno(error, ...refusals)) throw error
      this.#notSet.add(kind, node.path)
      return false
    }
  }
}

/** What mkdir and open are asked for: a directory has to let us in until all is made. */
export function birthMode({ mode }: Pick<PlannedNode, 'mode'>): number {
  return (mode & 0o777) | ((mode & typeBits.mask) === typeBits.directory ? 0o700 : 0)
}

/** The permissions of what was born so; undefined for a symlink, which has none of its own. */
export function bornMode(node: Pick<PlannedNode, 'mode'>, { modeBits }: Born): number | undefined {
  return (node.mode & typeBits.mask) === typeBits.symlink ? undefined : birthMode(node) & modeBits
}
