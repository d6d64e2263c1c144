/**
 * open(2) for writing, write and truncate over a union with an upper.
 *
 * Invariants:
 * - Opening for writing copies attributes up, as in the kernel; content is copied by the first write or truncation that needs it,
 *   and not at all when nothing of it is left.
 * - A content that is being copied is either below or in the upper, never half.
 */
import fs from 'node:fs'
import type { ByteString } from '../../byte-string.js'
import type { ContentDraft, UpperNode } from '../../drivers/upper.js'
import { MiB, symlinkHops } from '../../limits.js'
import type { PathArgument } from './arguments.js'
import { placeNew } from './change-names.js'
import { contentOf, fileSize } from './content.js'
import { copyUp, upperOf } from './copy-up.js'
import type { Dentry } from './dentry.js'
import { errnoError } from './errno.js'
import type { OpenFile } from './handles.js'
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './mode.js'
import { newNode } from './new-node.js'
import { isTooLong, type Place } from './resolve.js'
import type { Union } from './union.js'

const { O_APPEND, O_CREAT, O_DIRECTORY = 0, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = fs.constants
/** The bits that say reading, writing or both. */
const O_ACCMODE = 3

/** Bytes that are copied at once when content is copied up. */
const copyBytes = MiB

/** What opening gives, made if the flags say so; or the code of the failure, and then nothing has changed. */
export function openOrCreate(union: Union, path: PathArgument, flags: number, mode: number): Dentry | string {
  if (flags & O_CREAT && flags & O_DIRECTORY) return 'EINVAL'
  const found = flags & O_CREAT ? findOrCreate(union, path, flags, mode) : union.lookup(path, !(flags & O_NOFOLLOW))
  if (typeof found === 'string') return found
  if ('created' in found) return found.created
  const writing = (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0
  const type = found.mode & S_IFMT
  if (type === S_IFLNK) return flags & O_DIRECTORY ? 'ENOTDIR' : 'ELOOP'
  if (type === S_IFDIR) return writing ? 'EISDIR' : found
  if (flags & O_DIRECTORY) return 'ENOTDIR'
  // There is no driver behind a device and nobody at the other end of a fifo or socket, and waiting is no answer
  if (type !== S_IFREG) return 'ENXIO'
  if (!writing) return found
  if (flags & O_TRUNC) truncateTo(union, found, 0, undefined)
  else copyUp(union, found)
  return found
}

type Found = Dentry | { readonly created: Dentry } | string

/** O_CREAT: what is there, or a new file; where a symlink points at nothing, the file is made there (R-CR-2). */
function findOrCreate(union: Union, path: PathArgument, flags: number, mode: number): Found {
  let at = path
  for (let hops = 0; hops <= symlinkHops; hops++) {
    const place = union.locate(at)
    if (typeof place === 'string') return place
    if (place.last !== 'name') return flags & O_EXCL ? 'EEXIST' : 'EISDIR'
    if (place.trailingSlash) return 'EISDIR'
    if (isTooLong(place)) return 'ENAMETOOLONG'
    const existing = union.tree.child(place.directory, place.name)
    if (existing === undefined) return create(union, place, mode)
    if (flags & O_EXCL) return 'EEXIST'
    if (existing.directory !== undefined) return 'EISDIR'
    if (!union.tree.isSymlink(existing) || flags & O_NOFOLLOW) return existing
    at = pointedAt(union, existing, place, path)
  }
  return 'ELOOP'
}

function create(union: Union, { directory, name }: Place<Dentry>, mode: number): Found {
  if (union.upper!.usedEntries >= union.maxEntries) return 'EDQUOT'
  const fields = newNode(union, directory, S_IFREG | (mode & 0o7777 & ~union.umask))
  return { created: placeNew(union, directory, name, fields) }
}

/** The path that a symlink stands for, as seen from where it stands. */
function pointedAt(union: Union, link: Dentry, { directory }: Place<Dentry>, path: PathArgument): PathArgument {
  const target = union.tree.linkTarget(link)
  const bytes = target.startsWith('/') ? target : (`${union.tree.pathOf(directory)}/${target}` as ByteString)
  return { ...path, exact: false, bytes }
}

export function mayRead({ flags }: Pick<OpenFile, 'flags'>): boolean {
  return (flags & O_ACCMODE) !== O_WRONLY
}

export function mayWrite({ flags }: Pick<OpenFile, 'flags'>): boolean {
  return (flags & O_ACCMODE) === O_WRONLY || (flags & O_ACCMODE) === O_RDWR
}

/** Writes at a position, or where the descriptor is, which then moves; at the end if it was opened so. Answers how many bytes. */
export function write(union: Union, file: OpenFile, bytes: Uint8Array, position: number | undefined): number {
  if (!mayWrite(file)) throw errnoError('EBADF', 'write')
  if (bytes.length === 0) return 0
  const node = ownContent(union, file.dentry)
  const at = file.flags & O_APPEND ? node.sizeBytes : (position ?? file.position)
  assertRoom(union, node.sizeBytes, at + bytes.length, 'write')
  const upper = upperOf(union)
  upper.atomically(() => {
    upper.writeSync(node, at, bytes)
    modified(union, node)
  })
  union.notices.changed(file.dentry)
  if (position === undefined) file.position = at + bytes.length
  return bytes.length
}

export function truncate(union: Union, file: OpenFile, sizeBytes: number): void {
  const { dentry } = file
  assertTruncates(file)
  const draft = sizeBytes > 0 && isBelow(union, dentry) ? draftOf(union, dentry, sizeBytes, 'ftruncate') : undefined
  truncateTo(union, dentry, sizeBytes, draft)
}

/** The same, with the content that is kept copied off the main thread. */
export async function truncateLater(union: Union, file: OpenFile, sizeBytes: number): Promise<void> {
  assertTruncates(file)
  const { dentry } = file
  const draft = sizeBytes > 0 ? await draftLater(union, dentry, sizeBytes, 'ftruncate') : undefined
  truncateTo(union, dentry, sizeBytes, draft)
}

function assertTruncates(file: OpenFile): void {
  if (!mayWrite(file)) throw errnoError('EINVAL', 'ftruncate')
}

/** `draft`: the content as it is going to be, if it lies below and something of it is kept. */
function truncateTo(union: Union, dentry: Dentry, sizeBytes: number, draft: ContentDraft | undefined): void {
  const upper = upperOf(union)
  if (!isBelow(union, dentry)) assertRoom(union, union.nodeOf(dentry)!.sizeBytes, sizeBytes, 'ftruncate')
  upper.atomically(() => {
    const node = draft === undefined ? copyUp(union, dentry) : adopt(union, dentry, draft)
    if (draft === undefined) upper.truncateSync(node, sizeBytes)
    modified(union, node)
  })
  union.notices.changed(dentry)
}

function modified(union: Union, node: UpperNode): void {
  const now = union.now()
  upperOf(union).setAttributes(node, { mtime: now, ctime: now })
}

/** `ownBytes`: what of the content is in the upper by now. */
function assertRoom(union: Union, ownBytes: number, sizeBytes: number, syscall: string): void {
  const grows = Math.max(0, sizeBytes - ownBytes)
  if (grows > 0 && upperOf(union).usedBytes + grows > union.maxBytes) throw errnoError('EDQUOT', syscall)
}

/** Whether the content of a file lies in a layer: nobody has written to it yet. */
function isBelow(union: Union, dentry: Dentry): boolean {
  const node = union.nodeOf(dentry)
  return node === undefined || node.lowerContent !== undefined
}

/** The node in the upper with content of its own: what lies below is copied now. */
function ownContent(union: Union, dentry: Dentry): UpperNode {
  if (!isBelow(union, dentry)) return union.nodeOf(dentry)!
  return adopt(union, dentry, draftOf(union, dentry, fileSize(union, dentry), 'write'))
}

/** The same off the main thread, slice by slice: for what may be large. */
export async function ownContentLater(union: Union, dentry: Dentry): Promise<void> {
  const draft = await draftLater(union, dentry, fileSize(union, dentry), 'write')
  if (draft !== undefined) adopt(union, dentry, draft)
}

/** Copies up what a dentry stands for, if it is not there, with the draft as its content. */
function adopt(union: Union, dentry: Dentry, draft: ContentDraft): UpperNode {
  const upper = upperOf(union)
  return upper.atomically(() => {
    const node = copyUp(union, dentry)
    upper.adopt(node, draft)
    return node
  })
}

/** A copy of a content that lies below: so many bytes of it, or with zeros behind it. */
function draftOf(union: Union, dentry: Dentry, sizeBytes: number, syscall: string): ContentDraft {
  assertRoom(union, 0, sizeBytes, syscall)
  const { tree, inode } = contentOf(union, dentry)
  const draft = upperOf(union).draft()
  const buffer = Buffer.allocUnsafe(Math.min(copyBytes, sizeBytes))
  try {
    for (let at = 0; at < sizeBytes; ) {
      const count = tree.readSync(inode, at, buffer.subarray(0, sizeBytes - at))
      if (count === 0) break
      draft.append(buffer.subarray(0, count))
      at += count
    }
    draft.extend(sizeBytes)
    return draft
  } catch (error) {
    draft.discard()
    throw error
  }
}

/** The same slice by slice. Undefined: somebody else has written meanwhile, and then it is his content that counts. */
async function draftLater(
  union: Union,
  dentry: Dentry,
  sizeBytes: number,
  syscall: string,
): Promise<ContentDraft | undefined> {
  if (!isBelow(union, dentry)) return undefined
  assertRoom(union, 0, sizeBytes, syscall)
  const { tree, inode } = contentOf(union, dentry)
  const draft = upperOf(union).draft()
  const buffer = Buffer.allocUnsafe(Math.min(copyBytes, sizeBytes))
  try {
    for (let at = 0; at < sizeBytes; ) {
      const count = await tree.read(inode, at, buffer.subarray(0, sizeBytes - at))
      if (count === 0) break
      draft.append(buffer.subarray(0, count))
      at += count
    }
    draft.extend(sizeBytes)
    if (isBelow(union, dentry)) return draft
  } catch (error) {
    draft.discard()
    throw error
  }
  draft.discard()
  return undefined
}
