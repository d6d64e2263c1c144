/**
 * The merged tree of a view or container as one tar, as `docker export` has it: parents before children, in byte order, without
 * the root; names of one inode are hard links to the first of them. Or a part of it, as `docker cp` has that. The same tree gives
 * the same bytes.
 *
 * Invariants: contents are read while they are written, a piece at a time; a file that shrinks meanwhile breaks the export off.
 */
import { Readable } from 'node:stream'
import { type ByteString, printable } from '../../byte-string.js'
import { PhylloError } from '../../errors.js'
import { KiB, MiB } from '../../limits.js'
import { endOfArchive, entryHeader, type LayerEntry, paddingOf } from '../../tar/layer-writer.js'
import { read, readSync } from '../union/content.js'
import type { Dentry } from '../union/dentry.js'
import { itemsPerLook } from '../union/pace.js'
import type { Union } from '../union/union.js'
import { entryOf } from './entry-of.js'

export interface ExportOptions {
  /** What cannot be in a tar and is left out: sockets. */
  readonly warn?: (path: string, reason: string) => void
  /** What is in the tar, and its name there. Default: all that is in the root. */
  readonly top?: { readonly dentry: Dentry; readonly name: ByteString }
}

/** Bytes of one piece of the stream. */
const pieceBytes = MiB
/** Contents up to this size are read at once: a turn of the event loop costs more than the read. */
const smallBytes = 64 * KiB

export function exportStream(union: Union, options: ExportOptions = {}): Readable {
  return Readable.from(exportTar(union, options), { objectMode: false, highWaterMark: pieceBytes })
}

/** Whole blocks, some at a time. */
export async function* exportTar(union: Union, options: ExportOptions = {}): AsyncGenerator<Buffer, void, void> {
  union.assertOpen()
  let pieces: Buffer[] = []
  let bytes = 0
  let visited = 0
  const take = () => {
    const piece = Buffer.concat(pieces, bytes)
    pieces = []
    bytes = 0
    return piece
  }
  const add = (piece: Buffer) => {
    if (piece.length === 0) return
    pieces.push(piece)
    bytes += piece.length
  }
  for (const { dentry, entry } of entries(union, options)) {
    union.assertOpen()
    add(entryHeader(entry))
    if (entry.sizeBytes > 0 && entry.sizeBytes <= smallBytes) add(smallContent(union, dentry, entry))
    else if (entry.sizeBytes > 0)
      for (let at = 0; at < entry.sizeBytes; at += pieceBytes) {
        add(await piece(union, dentry, entry, at))
        yield take()
      }
    add(Buffer.alloc(paddingOf(entry.sizeBytes)))
    if (bytes >= pieceBytes) yield take()
    if (++visited % itemsPerLook === 0 && union.pace.due()) await union.pace.turn()
  }
  add(endOfArchive)
  yield take()
}

interface Exported {
  readonly dentry: Dentry
  readonly entry: LayerEntry
}

function* entries(union: Union, { warn = () => undefined, top }: ExportOptions): Generator<Exported, void, void> {
  const { tree, trees } = union
  const first = new Map<string, ByteString>()
  const directories: { readonly path: string; readonly names: Iterator<Dentry> }[] = []
  const enter = (dentry: Dentry, path: string) => directories.push({ path, names: [...tree.children(dentry)].values() })
  const exported = (dentry: Dentry, path: ByteString): Exported | undefined => {
    const linked = dentry.directory === undefined && tree.attributes(dentry).nlink > 1
    const key = `${dentry.lower} ${dentry.inode}`
    const earlier = linked ? first.get(key) : undefined
    if (linked && earlier === undefined) first.set(key, path)
    const named = { path, warn: (name: ByteString, why: string) => warn(printable(name), why) }
    const entry = entryOf({ trees }, dentry, { ...named, ...(earlier && { first: earlier }) })
    if (entry !== undefined && dentry.directory !== undefined) enter(dentry, `${path}/`)
    return entry && { dentry, entry }
  }
  const start = top && exported(top.dentry, top.name)
  if (start !== undefined) yield start
  else if (top === undefined) enter(tree.root, '')
  for (let directory = directories.at(-1); directory !== undefined; directory = directories.at(-1)) {
    const next = directory.names.next()
    if (next.done) {
      directories.pop()
      continue
    }
    const found = exported(next.value, (directory.path + next.value.name) as ByteString)
    if (found !== undefined) yield found
  }
}

function smallContent(union: Union, dentry: Dentry, entry: LayerEntry): Buffer {
  const content = Buffer.allocUnsafe(entry.sizeBytes)
  return whole(entry, content, readSync(union, dentry, 0, content))
}

async function piece(union: Union, dentry: Dentry, entry: LayerEntry, at: number): Promise<Buffer> {
  const content = Buffer.allocUnsafe(Math.min(pieceBytes, entry.sizeBytes - at))
  return whole(entry, content, await read(union, dentry, at, content))
}

function whole({ name, sizeBytes }: LayerEntry, content: Buffer, count: number): Buffer {
  if (count === content.length) return content
  const path = printable(name)
  throw new PhylloError('SIZE_MISMATCH', `${path}: is shorter than the ${sizeBytes} bytes that it had`, { path })
}
