/**
 * An upper directory that a kernel has written, as an upper of ours: whiteouts, opaque directories, attributes, xattrs, hard links.
 * What cannot be read without knowing more than the directory is refused, never left out (facts: R-RE-5).
 */
import type { ByteString } from '../../src/byte-string.js'
import type { Layer, Tree } from '../../src/drivers/layer.js'
import type { NewNode, Upper, UpperNode } from '../../src/drivers/upper.js'
import { lookup, lowersOf, rootStack, type Stack } from '../../src/overlay/union/lookup.js'
import { isDirectoryMode } from '../../src/overlay/union/mode.js'
import { testNow } from './union-run.js'
import type { TreeNode, TreeNodes } from './union-sequence.js'

const nano = 1e9
const typeBits = { d: 0o040000, f: 0o100000, l: 0o120000, c: 0o020000, b: 0o060000, p: 0o010000, s: 0o140000 } as const

/** A directory that is no upper alone: it says that names or contents are elsewhere, or hides names in a way of lower layers. */
export class UpperRefused extends Error {
  override readonly name = 'UpperRefused'
  readonly path: string
  /** The xattr that says so: `trusted.overlay.redirect`. */
  readonly xattr: string

  constructor(path: string, xattr: string) {
    super(`${path}: ${xattr} in an upper cannot be read`)
    this.path = path
    this.xattr = xattr
  }
}

/** What a new upper's root is, so that it is the directory's. */
export function rootNodeOf(root: TreeNode): NewNode {
  return nodeOf(root)
}

/** Puts everything that the directory holds into an upper that is new, over layers given base first. */
export function importUpper(root: TreeNode, layers: readonly Layer[], upper: Upper): void {
  refuse(root, '')
  upper.setXattrs(upper.root, nodeOf(root).xattrs ?? [])
  new Import([upper, ...lowersOf(layers)], upper).fill(upper.root, root.children!)
}

/** Before anything is made: half an upper helps nobody. */
function refuse({ overlay = {}, children = {} }: TreeNode, at: string): void {
  for (const xattr of Object.keys(overlay)) throw new UpperRefused(at || '/', xattr)
  for (const [name, child] of Object.entries(children)) refuse(child, `${at}/${name}`)
}

class Import {
  readonly #trees: readonly Tree[]
  readonly #upper: Upper
  /** By the number of their group, and by the path at which they came first. */
  readonly #linked = new Map<number | string, UpperNode>()

  constructor(trees: readonly Tree[], upper: Upper) {
    this.#trees = trees
    this.#upper = upper
  }

  fill(into: UpperNode, nodes: TreeNodes, below: Stack = rootStack(this.#trees).slice(1), at = ''): void {
    for (const [name, node] of Object.entries(nodes)) {
      const bytes = name as ByteString
      if (node.t === 'w') this.#upper.whiteout(into, bytes)
      else this.#place(into, bytes, node, below, at + name)
    }
  }

  #place(into: UpperNode, name: ByteString, node: TreeNode, below: Stack, at: string): void {
    const upper = this.#upper
    const same = this.#linked.get(node.link ?? node.group ?? at)
    if (same !== undefined) {
      upper.place(into, name, same)
      return
    }
    const lowers = node.t === 'd' && node.opaque !== true ? this.#mergedBelow(below, name) : []
    const made = upper.create({ ...nodeOf(node), lowers })
    upper.place(into, name, made)
    upper.release(made)
    for (const key of [at, node.group]) if (key !== undefined) this.#linked.set(key, made)
    if (node.data) upper.writeSync(made, 0, Buffer.from(node.data, 'latin1'))
    if (node.children) this.fill(made, node.children, lowers, `${at}/`)
  }

  /** What a directory merges with that is not opaque: nothing, where the name below is no directory. */
  #mergedBelow(below: Stack, name: ByteString): Stack {
    const stack = lookup(this.#trees, below, name)
    const top = stack[0]
    return top !== undefined && isDirectoryMode(this.#trees[top.lower]!.mode(top.inode)) ? stack : []
  }
}

function nodeOf(node: TreeNode): NewNode {
  const { mode = 0, uid = 0, gid = 0, mtime = 0, xattrs = {}, target, rdev = [0, 0] } = node
  const time = { sec: Math.floor(mtime / nano), nsec: mtime % nano }
  return {
    mode: typeBits[node.t as keyof typeof typeBits] | mode,
    uid,
    gid,
    atime: time,
    mtime: time,
    ctime: testNow,
    birthtime: testNow,
    deviceMajor: rdev[0],
    deviceMinor: rdev[1],
    xattrs: Object.entries(xattrs).map(([name, value]) => ({
      name: name as ByteString,
      value: Buffer.from(value, 'latin1'),
    })),
    ...(target !== undefined && { target: target as ByteString }),
  }
}
