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
import { symlinkHops } from '../../limits.js'
import type { PathArgument } from './arguments.js'
import { placeNew } from './change-names.js'
import { copyUp, upperOf } from './copy-up.js'
import type { Dentry } from './dentry.js'
import { errnoError } from './errno.js'
import type { OpenFile } from './handles.js'
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './mode.js'
import { newNode } from './new-node.js'
import { adopt, assertRoom, copyKept, draftLater, draftOf, isBelow, ownContent } from './own-content.js'
import { isTooLong, type Place } from './resolve.js'
import type { Union } from './union.js'

const { O_APPEND, O_CREAT, O_DIRECTORY = 0, O_EXCL, O_NOFOLLOW = 0, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = fs.constants
/** The bits that say reading, writing or both. */
const O_ACCMODE = 3

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
  assertRoom(union, file.dentry, at + bytes.length, 'write')
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
  assertTruncates(file)
  const { dentry } = file
  const draft = sizeBytes > 0 && isBelow(union, dentry) ? draftOf(union, dentry, sizeBytes, 'ftruncate') : undefined
  truncateTo(union, dentry, sizeBytes, draft)
}

/** The same, with what is kept of the content copied off the main thread. */
export async function truncateLater(union: Union, file: OpenFile, sizeBytes: number): Promise<void> {
  assertTruncates(file)
  const { dentry } = file
  const draft = sizeBytes > 0 ? await draftLater(union, dentry, sizeBytes, 'ftruncate') : undefined
  if (sizeBytes > 0 && draft === undefined) await copyKept(union, dentry, sizeBytes)
  truncateTo(union, dentry, sizeBytes, draft)
}

function assertTruncates(file: OpenFile): void {
  if (!mayWrite(file)) throw errnoError('EINVAL', 'ftruncate')
}

/** `draft`: the content as it is going to be, if it lies below and something of it is kept. */
function truncateTo(union: Union, dentry: Dentry, sizeBytes: number, draft: ContentDraft | undefined): void {
  const upper = upperOf(union)
  assertRoom(union, dentry, sizeBytes, 'ftruncate')
  upper.atomically(() => {
    const node = draft === undefined ? copyUp(union, dentry, 'empty') : adopt(union, dentry, draft)
    if (draft === undefined) upper.truncateSync(node, sizeBytes)
    modified(union, node)
  })
  union.notices.changed(dentry)
}

/** Gives a file all that is in a draft as its content. */
export function takeContent(union: Union, dentry: Dentry, draft: ContentDraft): void {
  try {
    assertRoom(union, dentry, draft.bytes, 'write')
  } catch (error) {
    draft.discard()
    throw error
  }
  upperOf(union).atomically(() => modified(union, adopt(union, dentry, draft)))
  union.notices.changed(dentry)
}

function modified(union: Union, node: UpperNode): void {
  const now = union.now()
  upperOf(union).setAttributes(node, { mtime: now, ctime: now })
}
