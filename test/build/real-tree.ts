/** Trees of `union-sequence.ts` as real directories, as a dockerd or the kernel would leave them. Needs root. */
import fs from 'node:fs'
import type { ByteString } from '../../src/byte-string.js'
import { loadSystemCalls } from '../../src/native/load-system-calls.js'
import type { SystemCalls } from '../../src/native/system-calls.js'
import type { TreeNode, TreeNodes } from './union-sequence.js'

const types = { c: 0o020000, b: 0o060000, p: 0o010000, s: 0o140000 } as const

const bytes = (text: string) => Buffer.from(text, 'latin1')

export async function systemCalls(): Promise<SystemCalls> {
  const calls = await loadSystemCalls()
  if (calls === undefined) throw new Error('no system calls here')
  return calls
}

/** Makes a directory with all that is in it. */
export function makeTree(calls: SystemCalls, path: string, tree: TreeNodes): void {
  fs.mkdirSync(path)
  fill(calls, bytes(path).toString('latin1'), tree, path)
}

function fill(calls: SystemCalls, directory: string, tree: TreeNodes, root: string): void {
  for (const [name, node] of Object.entries(tree)) {
    const at = bytes(`${directory}/${name}`)
    if (node.link !== undefined) fs.linkSync(bytes(`${root}/${node.link}`), at)
    else if (node.t === 'w') calls.mknod(at, types.c, 0, 0)
    else {
      makeNode(calls, at, node, root)
      attributes(calls, at, node)
    }
  }
}

function makeNode(calls: SystemCalls, at: Buffer, node: TreeNode, root: string): void {
  if (node.t === 'd') {
    fs.mkdirSync(at)
    fill(calls, at.toString('latin1'), node.children ?? {}, root)
  } else if (node.t === 'f') fs.writeFileSync(at, bytes(node.data ?? ''))
  else if (node.t === 'l') fs.symlinkSync(bytes(node.target!), at)
  else calls.mknod(at, types[node.t as 'c'], ...(node.rdev ?? ([0, 0] as const)))
}

function attributes(calls: SystemCalls, at: Buffer, node: TreeNode): void {
  const { mode, uid = 0, gid = 0, mtime = 0, xattrs = {}, overlay = {} } = node
  fs.lchownSync(at, uid, gid)
  if (mode !== undefined && node.t !== 'l') fs.chmodSync(at, mode)
  const all = { ...xattrs, ...overlay, ...(node.opaque && { 'trusted.overlay.opaque': 'y' }) }
  for (const [name, value] of Object.entries(all)) calls.lsetxattr(at, name as ByteString, bytes(value))
  const time = { sec: Math.floor(mtime / 1e9), nsec: mtime % 1e9 }
  calls.utimensat(at, time, time)
}
