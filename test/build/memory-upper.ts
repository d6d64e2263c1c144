/** An upper that nothing outlives: the tree of uppers, with contents in buffers, and in files while a snapshot wants them there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromText } from '../../src/byte-string.js'
import { type Layer, WHITEOUT } from '../../src/drivers/layer.js'
import type { ContentDraft, NewNode, Upper, UpperNode } from '../../src/drivers/upper.js'
import type { Change } from '../../src/drivers/upper-change.js'
import type { SnapshotContents } from '../../src/drivers/upper-snapshot.js'
import { UpperTree } from '../../src/drivers/upper-tree.js'
import { lowersBelow } from '../../src/overlay/union/lowers.js'

interface Stored {
  bytes: Buffer
}

const now = { sec: 1_700_000_000, nsec: 0 }
export const plainRoot: NewNode = { mode: 0o40755, uid: 0, gid: 0, atime: now, mtime: now, ctime: now, birthtime: now }

export interface MemoryUpper extends Upper {
  /** All that has happened, in its order. */
  readonly changes: readonly Change[]
  /** Contents that are kept. */
  readonly contents: ReadonlySet<unknown>
}

export function memoryUpper(root: NewNode = plainRoot): MemoryUpper {
  return build(root).upper
}

/**
 * One that copies contents up with what they belong to, as an upper of real directories. `layers`: base first. `copied`: called
 * in the very moment of a copy, with its bytes.
 */
export function copyingUpper(layers: readonly Layer[], copied: (bytes: number) => void = () => undefined): MemoryUpper {
  const lowers = lowersBelow(layers)
  const { tree, upper } = build({ ...plainRoot, lowers: lowers.root })
  const { draft } = upper
  const create: Upper['create'] = ({ lowerContent, ...node }) => {
    const made = tree.create(node)
    if (lowerContent === undefined) return made
    const { lower, inode, sizeBytes } = lowerContent
    const content = Buffer.alloc(sizeBytes)
    lowers.tree(lower).readSync(inode, 0, content)
    copied(sizeBytes)
    upper.writeSync(made, 0, content)
    return made
  }
  const detach = (directory: UpperNode) => {
    tree.detach(directory)
    for (const [name, child] of directory.children) if (child === WHITEOUT) tree.remove(directory, name)
  }
  const counting = () => {
    const made = draft.call(upper)
    const append = made.append.bind(made)
    return Object.assign(made, {
      append: (bytes: Uint8Array) => {
        copied(bytes.length)
        append(bytes)
      },
    })
  }
  return Object.assign(upper, { create, detach, draft: counting })
}

function build(root: NewNode): { readonly tree: UpperTree; readonly upper: MemoryUpper } {
  const changes: Change[] = []
  const contents = new Set<unknown>()
  const tree = new UpperTree(root, {
    record: change => changes.push(change),
    letGo: stored => void contents.delete(stored),
  })
  const storedOf = (node: UpperNode) => tree.storedOf(node) as Stored | undefined
  const replace = (node: UpperNode, bytes: Buffer) => {
    const stored: Stored = { bytes }
    contents.add(stored)
    tree.setContent(node, bytes.length, stored)
  }
  const grown = (node: UpperNode, size: number) => {
    const bytes = storedOf(node)?.bytes ?? Buffer.alloc(0)
    return Buffer.concat([bytes.subarray(0, size), Buffer.alloc(Math.max(0, size - bytes.length))])
  }
  const readSync = (id: number, position: number, into: Uint8Array) => {
    const bytes = storedOf(tree.node(id))?.bytes ?? Buffer.alloc(0)
    return bytes.copy(into, 0, Math.min(position, bytes.length))
  }
  const upper: MemoryUpper = {
    changes,
    contents,
    root: tree.root,
    get usedBytes() {
      return [...contents].reduce<number>((sum, stored) => sum + (stored as Stored).bytes.length, 0)
    },
    get usedEntries() {
      return tree.usedEntries
    },
    get inodeCount() {
      return tree.inodeCount
    },
    node: id => tree.node(id),
    lookup: (dir, name) => tree.lookup(dir, name),
    list: (dir, visit) => tree.list(dir, visit),
    inode: id => tree.inode(id),
    mode: id => tree.mode(id),
    opaque: id => tree.opaque(id),
    merges: id => tree.merges(id),
    readlink: id => tree.readlink(id),
    xattrs: id => tree.xattrs(id),
    contentOffset: id => id,
    readSync,
    read: async (id, position, into) => readSync(id, position, into),
    atomically: work => work(),
    create: node => tree.create(node),
    place: (directory, name, node) => tree.place(directory, name, node),
    remove: (directory, name) => tree.remove(directory, name),
    whiteout: (directory, name) => tree.whiteout(directory, name),
    setAttributes: (node, attributes) => tree.setAttributes(node, attributes),
    setXattrs: (node, xattrs) => tree.setXattrs(node, xattrs),
    hold: node => tree.hold(node),
    release: node => tree.release(node),
    writeSync(node, position, bytes) {
      const content = grown(node, Math.max(node.sizeBytes, position + bytes.length))
      content.set(bytes, position)
      replace(node, content)
    },
    truncateSync: (node, sizeBytes) => replace(node, grown(node, sizeBytes)),
    draft() {
      const pieces: Buffer[] = []
      const draft: ContentDraft & { pieces: Buffer[] } = {
        pieces,
        get bytes() {
          return pieces.reduce((sum, { length }) => sum + length, 0)
        },
        append: (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)),
        extend(sizeBytes) {
          if (sizeBytes > this.bytes) pieces.push(Buffer.alloc(sizeBytes - this.bytes))
        },
        discard: () => undefined,
      }
      return draft
    },
    adopt: (node, draft) => replace(node, Buffer.concat((draft as unknown as { pieces: Buffer[] }).pieces)),
    snapshot: () => tree.snapshot(contentFiles()),
    isKept: () => false,
    copyKept: async () => undefined,
    reflink: async () => undefined,
    reflinkSync: () => undefined,
    sync: async () => undefined,
    close: async () => undefined,
    abandon: async () => undefined,
  }
  return { tree, upper }
}

/** A buffer is never changed, so that a snapshot can have the very one. */
function contentFiles(): SnapshotContents {
  const directory = mkdtempSync(join(tmpdir(), 'phyllo-memory-'))
  let files = 0
  return {
    copy: stored => stored,
    place(stored) {
      const { bytes } = stored as Stored
      const file = join(directory, `${files++}`)
      writeFileSync(file, Buffer.concat([Buffer.alloc(files), bytes]))
      return { file: fromText(file), offset: files, bytes: bytes.length }
    },
    release: () => rmSync(directory, { recursive: true, force: true }),
  }
}
