/** One layer alone, as scanners want it: its entries, whiteouts and opaque marks included. */
import { type ByteString, toText } from '../../byte-string.js'
import { type Inode, type Layer, WHITEOUT } from '../../drivers/layer.js'
import type { Xattr } from '../../tar/entry.js'
import { type FileType, fileTypeOf, isDirectoryMode } from '../union/mode.js'

export type LayerEntry = LayerFile | LayerWhiteout

export interface LayerFile extends Inode {
  /** Absolute within the layer. */
  readonly path: string
  readonly pathBytes: ByteString
  readonly type: FileType
  /** The layer's inode number: names that share it are hard links. */
  readonly inode: number
  readonly linkTarget: string | undefined
  readonly xattrs: readonly Xattr[]
}

/** A name that hides what lower layers have there. */
export interface LayerWhiteout {
  readonly path: string
  readonly pathBytes: ByteString
  readonly type: 'whiteout'
}

/** Every name of a layer, parents before children, children in byte order; the root first. Opaque marks are fields of directories. */
export function* entriesOf(layer: Layer): Generator<LayerEntry, void, void> {
  const stack: { readonly path: ByteString; readonly inode: number }[] = [{ path: '/' as ByteString, inode: 0 }]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { path, inode } = next
    if (inode === WHITEOUT) {
      yield { path: toText(path), pathBytes: path, type: 'whiteout' }
      continue
    }
    yield layerFile(layer, path, inode)
    if (!isDirectoryMode(layer.mode(inode))) continue
    const children: typeof stack = []
    layer.list(inode, (name, child) => {
      children.push({ path: `${path === '/' ? '' : path}/${name}` as ByteString, inode: child })
    })
    for (const child of children.reverse()) stack.push(child)
  }
}

function layerFile(layer: Layer, path: ByteString, inode: number): LayerFile {
  const attributes = layer.inode(inode)
  const type = fileTypeOf(attributes.mode)
  return {
    ...attributes,
    path: toText(path),
    pathBytes: path,
    type,
    inode,
    linkTarget: type === 'symlink' ? toText(layer.readlink(inode)) : undefined,
    xattrs: layer.xattrs(inode),
  }
}
