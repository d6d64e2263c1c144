/**
 * One file's content copied within a container. Whole contents that lie in a layer are not copied at all: the new file says that
 * its content lies there, as a file that was copied up does. A large content of the container's own is copied by reflink, where the
 * host's file system can.
 *
 * Invariant: a failed copy into a new file leaves no file.
 */
import fs from 'node:fs'
import type { Member } from '../../drivers/layer.js'
import type { UpperNode } from '../../drivers/upper.js'
import { doLater, doNow, type Work, wait } from '../../either-way.js'
import { isErrno } from '../../errors.js'
import type { PathArgument } from './arguments.js'
import { placeNew } from './change-names.js'
import { fileSize, read, readSync } from './content.js'
import { upperOf } from './copy-up.js'
import type { Dentry } from './dentry.js'
import { errnoError } from './errno.js'
import type { OpenFile } from './handles.js'
import { holding } from './holding.js'
import { isRegularMode, S_IFREG } from './mode.js'
import { newNode } from './new-node.js'
import { inTurn } from './open.js'
import { isTooLong } from './resolve.js'
import { chmod } from './syscalls-attributes.js'
import { openOrCreate, takeContent, write } from './syscalls-files.js'
import { unlink } from './syscalls-names.js'
import type { Union } from './union.js'
import { writeSliceBytes } from './write-later.js'

const { O_CREAT, O_EXCL, O_TRUNC, O_WRONLY, COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = fs.constants
const permissionBits = 0o7777

/** A copy whose target is open, and whose bytes have yet to be copied. */
interface Copying {
  readonly source: Dentry
  readonly target: OpenFile
  /** What the failure of the whole looks like. */
  readonly fail: (code: string) => Error
  /** Takes away what was made. */
  readonly undo: () => void
}

/** `mode`: bits of COPYFILE_*. */
export function copyFileNow(union: Union, from: PathArgument, to: PathArgument, mode: number): void {
  const copying = begin(union, from, to, mode)
  if (copying === undefined) return
  try {
    doNow(copyContent(union, copying))
  } catch (error) {
    throw failed(copying, error)
  }
}

/** The same, a slice in one turn of the event loop. */
export function copyFileLater(
  union: Union,
  from: PathArgument,
  to: PathArgument,
  mode: number,
): Promise<void> | undefined {
  const begun = inTurn(union, to, O_TRUNC, () => begin(union, from, to, mode))
  if (begun instanceof Promise) return begun.then(copying => copying && finishLater(union, copying))
  return begun && finishLater(union, begun)
}

async function finishLater(union: Union, copying: Copying): Promise<void> {
  const { source, target } = copying
  const copy = () => doLater(copyContent(union, copying))
  try {
    await holding(union, source, () => holding(union, target.dentry, () => union.turns.take(target.dentry, copy)))
  } catch (error) {
    throw failed(copying, error)
  }
}

function* copyContent(union: Union, { source, target }: Copying): Work<void> {
  const upper = upperOf(union)
  const own = ownNode(union, source)
  const draft =
    own &&
    (yield* wait(
      () => upper.reflinkSync(own),
      () => upper.reflink(own),
    ))
  if (draft !== undefined) return takeContent(union, target.dentry, draft)
  for (let done = 0, size = fileSize(union, source); done < size; done += writeSliceBytes) {
    const [at, slice] = [done, Buffer.allocUnsafe(Math.min(writeSliceBytes, size - done))]
    const count = yield* wait(
      () => readSync(union, source, at, slice),
      () => read(union, source, at, slice),
    )
    write(union, target, slice.subarray(0, count), at)
    yield* wait(
      () => undefined,
      () => union.pace.turn(),
    )
  }
}

/** Undefined when nothing has to be copied any more. */
function begin(union: Union, from: PathArgument, to: PathArgument, mode: number): Copying | undefined {
  const fail = (code: string) => errnoError(code, 'copyfile', from.text, to.text)
  const source = union.lookup(from, true)
  if (typeof source === 'string') throw fail(source)
  if (source.directory !== undefined) throw fail('EISDIR')
  if (!isRegularMode(source.mode)) throw fail('ENXIO')
  const exclusive = (mode & COPYFILE_EXCL) !== 0
  const before = union.lookup(to, true)
  if (typeof before !== 'string' && !exclusive && union.inodeNumber(before) === union.inodeNumber(source))
    return undefined
  const permissions = union.tree.attributes(source).mode & permissionBits
  if (shareContent(union, source, to, permissions)) return undefined
  if (mode & COPYFILE_FICLONE_FORCE) throw fail('ENOTSUP')
  const flags = O_WRONLY | O_CREAT | O_TRUNC | (exclusive ? O_EXCL : 0)
  const dentry = openOrCreate(union, to, flags, permissions)
  if (typeof dentry === 'string') throw fail(dentry)
  chmod(union, dentry, permissions)
  const made = typeof before === 'string'
  return {
    source,
    target: { dentry, path: to.text, flags, position: 0 },
    fail,
    undo: () => {
      if (made && union.tree.isLinked(dentry)) unlink(union, { ...to, bytes: union.tree.pathOf(dentry), exact: false })
    },
  }
}

function failed({ fail, undo }: Copying, error: unknown): unknown {
  undo()
  return isErrno(error, 'EDQUOT') ? fail('EDQUOT') : error
}

/** Makes the target without a byte of its own, if it is new and the whole content lies in a layer. */
function shareContent(union: Union, source: Dentry, to: PathArgument, permissions: number): boolean {
  if (upperOf(union).detach !== undefined) return false
  const below = memberBelow(union, source)
  const place = union.locate(to)
  if (below === undefined || typeof place === 'string' || place.last !== 'name' || place.trailingSlash) return false
  const { directory, name } = place
  const free = !isTooLong(place) && union.tree.child(directory, name) === undefined
  if (!free || union.upper!.usedEntries >= union.maxEntries) return false
  const sizeBytes = fileSize(union, source)
  const fields = newNode(union, directory, S_IFREG | permissions)
  placeNew(union, directory, name, { ...fields, lowerContent: { ...below, sizeBytes } })
  return true
}

/** The node that has the content, if it is not in a layer. */
function ownNode(union: Union, source: Dentry): UpperNode | undefined {
  const node = union.nodeOf(source)
  return node?.lowerContent === undefined ? node : undefined
}

/** Where in the layers the content lies; undefined if it was written to. */
function memberBelow(union: Union, source: Dentry): Member | undefined {
  const node = union.nodeOf(source)
  return node === undefined ? { lower: source.lower, inode: source.inode } : node.lowerContent
}
