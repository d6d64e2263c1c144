/** The same tree twice: in a temporary directory of the host, and as a layer. What node:fs says of one, a view has to say of the other. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type Children, directory, file, hardlink, layersOf, type MemoryLayer, symlink } from './memory-layer.js'

/** A string is a file; `link` a symlink; `same` another name of an earlier path. */
export type Plain =
  | string
  | { readonly link: string }
  | { readonly same: string }
  | { readonly in: Record<string, Plain> }

/** 2001-09-09T01:46:40.123456789Z */
const mtimeSec = 1_000_000_000
const mtimeNsec = 123_456_789

export function plainDirectory(tree: Record<string, Plain>): string {
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'view-parity-')))
  fill(root, root, tree)
  return root
}

function fill(root: string, at: string, tree: Record<string, Plain>): void {
  for (const [name, node] of Object.entries(tree)) {
    const here = path.join(at, name)
    if (typeof node === 'string') fs.writeFileSync(here, node, { mode: 0o644 })
    else if ('link' in node) fs.symlinkSync(node.link, here)
    else if ('same' in node) fs.linkSync(path.join(root, node.same), here)
    else {
      fs.mkdirSync(here, { mode: 0o755 })
      fill(root, here, node.in)
    }
    if (typeof node === 'string') fs.chmodSync(here, 0o644)
    const seconds = mtimeSec + mtimeNsec / 1e9
    fs.lutimesSync(here, seconds, seconds)
  }
}

export function plainLayer(tree: Record<string, Plain>, root: string): MemoryLayer {
  const { uid, gid } = fs.statSync(root)
  return layersOf(directory(literals(tree, root, uid, gid), { uid, gid, mtimeSec }))[0]!
}

function literals(tree: Record<string, Plain>, at: string, uid: number, gid: number): Children {
  return Object.fromEntries(
    Object.entries(tree).map(([name, node]) => {
      // utimes takes a double, and versions of Node differ in what is left of the nanoseconds
      const { mtimeNs } = fs.lstatSync(path.join(at, name), { bigint: true })
      const attributes = { uid, gid, mtimeSec, mtimeNsec: Number(mtimeNs % 1_000_000_000n) }
      if (typeof node === 'string') return [name, file(node, { ...attributes, mode: 0o644 })]
      if ('link' in node) return [name, symlink(node.link, { ...attributes, mode: 0o777 })]
      if ('same' in node) return [name, hardlink(node.same)]
      return [name, directory(literals(node.in, path.join(at, name), uid, gid), { ...attributes, mode: 0o755 })]
    }),
  )
}
