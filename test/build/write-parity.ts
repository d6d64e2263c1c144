/**
 * The same changes through node:fs on a plain directory of the host and on a container over a layer that holds the same tree: what
 * every call gives or throws, and the tree that comes of it.
 */
import fs from 'node:fs'
import { type ContainerFs, createContainerFace } from '../../src/overlay/face/container-face.js'
import { Union } from '../../src/overlay/union/union.js'
import { type MemoryUpper, memoryUpper, plainRoot } from './memory-upper.js'
import { type Fs, failure } from './parity.js'
import { type Plain, plainDirectory, plainLayer } from './plain-tree.js'

export interface Pair {
  readonly root: string
  readonly box: ContainerFs
  readonly upper: MemoryUpper
  readonly union: Union
}

/** A fresh directory and a fresh container; whoever runs the test owns what is in both. */
export function pair(tree: Record<string, Plain>): Pair {
  const root = plainDirectory(tree)
  const { uid, gid } = fs.statSync(root)
  const upper = memoryUpper({ ...plainRoot, uid, gid })
  const umask = process.umask()
  const union = new Union([plainLayer(tree, root)], { upper, owner: { uid, gid }, umask, label: 'container' })
  return { root, box: createContainerFace(union), upper, union }
}

export type Outcome = { readonly value: unknown } | { readonly failure: unknown }

/** Texts with the root of the side taken out, buffers as text, Stats and what has no fields to compare left out. */
function plain(value: unknown, root: string): unknown {
  if (typeof value === 'string') return root === '' ? value : value.replaceAll(root, '')
  if (ArrayBuffer.isView(value))
    return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString() }
  if (Array.isArray(value)) return value.map(item => plain(item, root))
  if (value instanceof fs.Stats) return { size: value.size, mode: value.mode, nlink: value.nlink }
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field, root)]))
  return value
}

export async function outcomeOf(root: string, run: () => unknown): Promise<Outcome> {
  try {
    return { value: plain(await run(), root) }
  } catch (error) {
    const { info } = error as { info?: object }
    return {
      failure: { ...(failure(error, root === '' ? '\0' : root) as object), ...(info && { info: plain(info, root) }) },
    }
  }
}

/** What a tree looks like: times only where they were set, which is long ago. */
export function dump(side: Fs, at: string): unknown {
  const show = (path: string): unknown => {
    const stats = side.lstatSync(path)
    const set = stats.mtimeMs < 1_500_000_000_000
    const common = {
      mode: stats.mode,
      uid: stats.uid,
      gid: stats.gid,
      ...(set && { mtime: Math.round(stats.mtimeMs) }),
    }
    if (stats.isSymbolicLink()) return { ...common, target: side.readlinkSync(path).replaceAll(at, '') }
    if (stats.isFile()) {
      return { ...common, nlink: stats.nlink, size: stats.size, content: side.readFileSync(path, 'latin1') }
    }
    if (!stats.isDirectory()) return common
    const names = side.readdirSync(path).sort()
    return { ...common, in: Object.fromEntries(names.map(name => [name, show(`${path}/${name}`)])) }
  }
  const names = side.readdirSync(at === '' ? '/' : at).sort()
  return Object.fromEntries(names.map(name => [name, show(`${at}/${name}`)]))
}
