/** Everything that the tree of an upper tells, and a snapshot of it, to compare. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type Member, type Metadata, WHITEOUT } from '../../src/drivers/layer.js'
import type { ContentPlace, Upper, UpperSnapshot } from '../../src/drivers/upper.js'

export const bytesAt = ({ file, offset, bytes }: ContentPlace) => readFileSync(file).subarray(offset, offset + bytes)
const isFile = (mode: number) => (mode & 0o170000) === 0o100000

/** Everything that a tree tells, by path. `content`: the bytes of a file that has its own. */
function told(
  tree: Metadata,
  lowerContent: (id: number) => Member | undefined,
  content: (id: number) => Buffer,
): Map<string, unknown> {
  const all = new Map<string, unknown>()
  const visit = (path: string, id: number) => {
    if (id === WHITEOUT) return void all.set(path, 'whiteout')
    const [inode, below] = [tree.inode(id), lowerContent(id)]
    const own = isFile(inode.mode) && below === undefined && inode.sizeBytes > 0
    const bytes = own ? content(id).toString('latin1') : ''
    const rest = [tree.mode(id), tree.opaque(id), tree.merges!(id), tree.readlink(id), tree.xattrs(id)]
    all.set(path, { id, inode, below, bytes, rest })
    tree.list(id, (name, child) => {
      assert.equal(tree.lookup(id, name), child)
      visit(`${path}/${name}`, child)
    })
  }
  visit('', 0)
  return all
}

export function toldByModel(model: Upper): Map<string, unknown> {
  return told(
    model,
    id => model.node(id).lowerContent,
    id => {
      const bytes = Buffer.alloc(model.node(id).sizeBytes)
      model.readSync(id, 0, bytes)
      return bytes
    },
  )
}

export function toldBySnapshot(snapshot: UpperSnapshot): Map<string, unknown> {
  return told(
    snapshot,
    id => snapshot.node(id).lowerContent,
    id => bytesAt(snapshot.place(id)),
  )
}
