/** Trees that are written as literals, as layers for archives; and a layer with a shell, for containers that run something. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { NaiveTrees } from './naive-trees.js'
import * as build from './tar.js'
import type { TreeNode, TreeNodes } from './union-sequence.js'

const bytes = (text: string) => Buffer.from(text, 'latin1')

/** The tar of a layer, parents before children. */
export function tarOfTree(tree: TreeNodes): Buffer {
  return build.tar(partsOf(tree, ''))
}

function partsOf(tree: TreeNodes, at: string): Buffer[] {
  return Object.entries(tree).flatMap(([name, node]) => {
    if (node.t === 'w') return [build.file(bytes(`${at}.wh.${name}`))]
    if (node.t !== 'd') return [partOf(node, bytes(at + name))]
    const below = `${at}${name}/`
    const mark = node.opaque === true ? [build.file(bytes(`${below}.wh..wh..opq`))] : []
    return [build.dir(bytes(below), optionsOf(node)), ...mark, ...partsOf(node.children ?? {}, below)]
  })
}

function partOf(node: TreeNode, name: Buffer): Buffer {
  const options = optionsOf(node)
  const [major, minor] = node.rdev ?? [0, 0]
  if (node.link !== undefined) return build.hardlink(name, bytes(node.link), options)
  if (node.t === 'f') return build.file(name, bytes(node.data ?? ''), options)
  if (node.t === 'l') return build.symlink(name, bytes(node.target!), options)
  if (node.t === 'p') return build.fifo(name, options)
  return (node.t === 'c' ? build.char : build.block)(name, major, minor, options)
}

function optionsOf({ t, mode = t === 'l' ? 0o777 : 0o644, uid = 0, gid = 0, mtime = 0, xattrs }: TreeNode) {
  const [whole, rest] = [Math.floor(mtime / 1e9), mtime % 1e9]
  return {
    mode,
    uid,
    gid,
    ...(rest === 0 ? { mtime: whole } : { pax: { mtime: `${whole}.${String(rest).padStart(9, '0')}` } }),
    ...(xattrs && { xattrs }),
  }
}

/** The tree of a layer below a directory, `w/3`; what it says of its own root means that directory. */
export function moved(tree: TreeNodes, to: string): TreeNodes {
  return Object.fromEntries(
    Object.entries(tree).map(([name, node]) => [
      name,
      {
        ...node,
        ...(node.link !== undefined && { link: `${to}/${node.link}` }),
        ...(node.target?.startsWith('/') && { target: `/${to}${node.target}` }),
        ...(node.children && { children: moved(node.children, to) }),
      },
    ]),
  )
}

/** Layers, base first, without whiteouts that hide nothing: in a directory of one layer alone the kernel would list them. */
export function wellFormed(layers: readonly TreeNodes[]): TreeNodes[] {
  const kept: TreeNodes[] = []
  for (const layer of layers) kept.push(hiding(layer, new NaiveTrees(kept).dump()))
  return kept
}

function hiding(tree: TreeNodes, below: TreeNodes): TreeNodes {
  const kept = Object.entries(tree).filter(([name, { t }]) => t !== 'w' || name in below)
  return Object.fromEntries(
    kept.map(([name, node]) => {
      const under = (!node.opaque && below[name]?.children) || {}
      return [name, { ...node, ...(node.children && { children: hiding(node.children, under) }) }]
    }),
  )
}

/** Programs of this machine that a shell needs, with the libraries they are linked to, each where it is here. */
export function shellLayer(programs: readonly string[]): Buffer {
  const paths = ['/bin/sh', ...programs.map(name => execFileSync('which', [name], { encoding: 'utf8' }).trim())]
  const needed = execFileSync('ldd', paths, { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)
  const files = [...new Set([...paths, ...[...needed].map(([, path]) => path!)])]
  const directories = new Set(files.flatMap(parentsOf))
  return build.tar([
    ...[...directories].sort().map(path => build.dir(`${path.slice(1)}/`)),
    ...files.map(path => build.file(path.slice(1), readFileSync(path), { mode: 0o755 })),
  ])
}

function parentsOf(path: string): string[] {
  const parent = dirname(path)
  return parent === '/' ? [] : [...parentsOf(parent), parent]
}
