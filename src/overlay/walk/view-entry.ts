/** What a view knows of a path beyond Stats: which layer it comes from, xattrs, device numbers, marks. */
import { type ByteString, toText } from '../../byte-string.js'
import type { Layer, Tree } from '../../drivers/layer.js'
import type { DiffId } from '../../oci/digest.js'
import type { Xattr } from '../../tar/entry.js'
import type { Standing } from '../union/dentry.js'
import { type FileType, fileTypeOf } from '../union/mode.js'
import type { Union } from '../union/union.js'

export interface ViewEntry {
  /** Absolute, free of symlinks and dots. */
  readonly path: string
  /** The path's bytes, which need not be UTF-8. */
  readonly pathBytes: ByteString
  readonly type: FileType
  /**
   * Index of the layer that gives the attributes and the content: 0 is the base. -1 for the root of a view without layers; of a
   * container, what it has changed itself is one more layer on top.
   */
  readonly layer: number
  readonly diffId: DiffId | undefined
  /** The layer's own inode number; names with the same layer and inode are hard links of each other. */
  readonly inode: number
  /** Type and permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  readonly sizeBytes: number
  readonly mtimeSec: number
  readonly mtimeNsec: number
  readonly deviceMajor: number
  readonly deviceMinor: number
  /** A directory that hides what lower layers have in it. */
  readonly opaque: boolean
  /** A directory that no archive entry described. */
  readonly implied: boolean
  readonly xattrs: readonly Xattr[]
  /** Of a symlink, as it is stored. */
  readonly linkTarget: string | undefined
  /** Indexes of all layers whose directories are merged here, the topmost first; one for what is no directory. */
  readonly layers: readonly number[]
}

export interface WalkEntry extends ViewEntry {
  /** The content of a regular file. In stored order it is read once for all its hard links, which come one after the other. */
  content(): Promise<Buffer>
}

export function withContent(
  entry: ViewEntry & { content?: WalkEntry['content'] },
  content: WalkEntry['content'],
): WalkEntry {
  entry.content = content
  return entry as WalkEntry
}

/** `text` is the path's, where the caller knows it already. */
export function viewEntry(union: Union, dentry: Standing, path: ByteString, text = toText(path)): ViewEntry {
  const { tree, trees } = union
  const layer: (Tree & Partial<Pick<Layer, 'diffId'>>) | undefined = trees[dentry.lower]
  const base = trees.length - 1
  const attributes = tree.attributes(dentry)
  const type = fileTypeOf(dentry.mode)
  // Field by field: spreading the attributes is an order of magnitude slower, and walks make one of these for each name
  return {
    path: text,
    pathBytes: path,
    type,
    layer: layer === undefined ? -1 : base - dentry.lower,
    diffId: layer?.diffId,
    inode: dentry.inode,
    mode: attributes.mode,
    uid: attributes.uid,
    gid: attributes.gid,
    nlink: attributes.nlink,
    sizeBytes: attributes.sizeBytes,
    mtimeSec: attributes.mtimeSec,
    mtimeNsec: attributes.mtimeNsec,
    deviceMajor: attributes.deviceMajor,
    deviceMinor: attributes.deviceMinor,
    opaque: attributes.opaque,
    implied: attributes.implied,
    xattrs: layer === undefined ? [] : layer.xattrs(dentry.inode),
    linkTarget: type === 'symlink' ? toText(layer!.readlink(dentry.inode)) : undefined,
    layers: layersOf(dentry, base),
  }
}

function layersOf({ directory, lower }: Standing, base: number): readonly number[] {
  if (lower < 0) return []
  return directory === undefined ? [base - lower] : directory.stack.map(member => base - member.lower)
}
