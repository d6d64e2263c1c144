/** Commits of unions in tests: the layer's tar by the job itself, and a naive reader of layers to say what the tar means. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GrowingFile } from '../../src/disk/growing-file.js'
import type { Layer } from '../../src/drivers/layer.js'
import { openPackedLayer, type PackedLayer } from '../../src/drivers/packed/packed-layer.js'
import { defaultLimits } from '../../src/limits.js'
import { writeLayerPlan } from '../../src/overlay/difference/write-plan.js'
import type { Union } from '../../src/overlay/union/union.js'
import { Pool } from '../../src/pool/pool.js'
import type { TarEntry } from '../../src/tar/entry.js'
import { writeLayer } from './layerfile.js'
import { MemoryLayer } from './memory-layer.js'
import { scan } from './scan.js'
import { file, tar } from './tar.js'
import type { TreeNode, TreeNodes } from './union-sequence.js'

export interface CommittedLayer {
  readonly tar: Buffer
  readonly layer: PackedLayer
  /** Of the layer. */
  readonly path: string
  readonly warnings: readonly string[]
}

/** What `use` makes of the layer of a union's changes; undefined stands for no layer. */
export async function withLayer<T>(
  union: Union,
  use: (committed: CommittedLayer | undefined) => T | Promise<T>,
  layerFiles: ReadonlyMap<Layer, string> = new Map(),
): Promise<T> {
  const dir = scratch('phyllo-commit-')
  let committed: CommittedLayer | undefined
  try {
    committed = await commitLayer(union, dir, layerFiles)
    return await use(committed)
  } finally {
    await committed?.layer.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Somewhere in memory, if the machine has such a place. */
export function scratch(prefix: string): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), prefix))
}

/** The layer, made in an empty directory, and open. */
export async function commitLayer(
  union: Union,
  dir: string,
  layerFiles: ReadonlyMap<Layer, string>,
): Promise<CommittedLayer | undefined> {
  using upper = union.upper!.snapshot()
  await using pool = new Pool({ workers: 0 })
  const [plan, target] = [await GrowingFile.create(join(dir, 'plan')), join(dir, 'layer')]
  const paths = new Map(layerFiles)
  for (const layer of union.lowers)
    if (layer instanceof MemoryLayer && !paths.has(layer)) paths.set(layer, await contentsFile(dir, layer, paths.size))
  const warnings: string[] = []
  const warn = (path: string, reason: string) => warnings.push(`${path}: ${reason}`)
  const lowerContent = (layer: Layer, inode: number) => ({ layer: paths.get(layer)!, inode })
  const { entries } = await writeLayerPlan(union, upper, { plan, lowerContent, warn })
  if (entries === 0) return undefined
  const range = { path: plan.path, offset: 0, sizeBytes: Number.POSITIVE_INFINITY }
  const input = { plan: range, label: 'test', target, compression: 'none', limits: defaultLimits } as const
  await pool.run('commit-layer', input)
  const layer = await openPackedLayer(target)
  const tar = Buffer.alloc(layer.tarBytes)
  for (let at = 0; at < tar.length; ) at += await layer.readTar(at, tar.subarray(at))
  return { tar, layer, path: target, warnings }
}

/** A layer file in which the contents of a layer in memory have the same inode numbers: those of the n-th entry is n. */
export async function contentsFile(dir: string, layer: MemoryLayer, number: number): Promise<string> {
  const path = join(dir, `below-${number}`)
  const inodes = Array.from({ length: layer.inodeCount - 1 }, (_, i) => i + 1)
  await writeLayer(path, tar(inodes.map(inode => file(`${inode}`, contentOf(layer, inode)))))
  return path
}

function contentOf(layer: MemoryLayer, inode: number): Buffer {
  const { mode, sizeBytes } = layer.inode(inode)
  const content = Buffer.alloc((mode & 0o170000) === 0o100000 ? sizeBytes : 0)
  layer.readSync(inode, 0, content)
  return content
}

/** A tree as a flat list: absolute path → what stands there, by value. Times in seconds, as tars have them. */
export type FlatNode = Omit<TreeNode, 'children' | 'group' | 'nlink' | 'link'>
export type Flat = Map<string, FlatNode>

export function flatten(tree: TreeNodes, into: Flat = new Map(), at = ''): Flat {
  for (const [name, node] of Object.entries(tree)) {
    const { children, group, nlink, link, mtime = 0, ...rest } = node
    into.set(`${at}/${name}`, { ...rest, mtime: Math.floor(mtime / 1e9) })
    if (children !== undefined) flatten(children, into, `${at}/${name}`)
  }
  return into
}

const letters = { file: 'f', directory: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p' } as const

/** Applies a layer to a flat tree as the specification says it (facts: 2.3), two passes. */
export function applyNaively(base: Flat, tar: Buffer): Flat {
  const entries = scan(tar).map(entry => ({ entry, path: `/${entry.name.replace(/\/$/, '')}` }))
  const flat: Flat = new Map(base)
  const removeBelow = (path: string) => {
    for (const other of [...flat.keys()]) if (other.startsWith(`${path}/`)) flat.delete(other)
  }
  for (const { path } of entries) {
    const [, dir, name] = /^(.*)\/([^/]*)$/.exec(path) as unknown as [string, string, string]
    if (name === '.wh..wh..opq') removeBelow(dir)
    else if (name.startsWith('.wh.')) {
      flat.delete(`${dir}/${name.slice(4)}`)
      removeBelow(`${dir}/${name.slice(4)}`)
    }
  }
  for (const { entry, path } of entries) {
    if (/\/\.wh\.[^/]*$/.test(path)) continue
    const existing = flat.get(path)
    if (existing !== undefined && !(existing.t === 'd' && entry.type === 'directory')) removeBelow(path)
    flat.set(path, nodeOfEntry(entry, tar, flat))
  }
  return flat
}

function nodeOfEntry(entry: TarEntry, tar: Buffer, flat: Flat): FlatNode {
  const { type, mode, uid, gid, mtimeSec, xattrs, sizeBytes, contentOffset } = entry
  if (type === 'hardlink') return flat.get(`/${entry.linkName}`)!
  return {
    t: letters[type],
    mode,
    uid,
    gid,
    mtime: mtimeSec,
    ...(xattrs.length > 0 && {
      xattrs: Object.fromEntries(xattrs.map(({ name, value }) => [name, value.toString('latin1')])),
    }),
    ...(type === 'file' && { data: tar.toString('latin1', contentOffset, contentOffset + sizeBytes) }),
    ...(type === 'symlink' && { target: entry.linkName }),
    ...((type === 'char' || type === 'block') && { rdev: [entry.deviceMajor, entry.deviceMinor] as const }),
  }
}

/** Sockets have no place in a layer. */
export function withoutSockets(flat: Flat): Flat {
  return new Map([...flat].filter(([, { t }]) => t !== 's'))
}

/** Which names are one inode: each group of names, of more than one. */
export function linkGroups(tree: TreeNodes): string[] {
  const groups = new Map<number, string[]>()
  const visit = (nodes: TreeNodes, at: string) => {
    for (const [name, { group, children }] of Object.entries(nodes)) {
      if (group !== undefined) groups.set(group, [...(groups.get(group) ?? []), `${at}/${name}`])
      if (children !== undefined) visit(children, `${at}/${name}`)
    }
  }
  visit(tree, '')
  return [...groups.values()].filter(names => names.length > 1).map(names => names.sort().join(' '))
}
