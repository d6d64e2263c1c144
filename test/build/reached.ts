/** A container after a random sequence, and what laws want to know and do of it. */

import { createContainerFace } from '../../src/overlay/face/container-face.js'
import type { Union } from '../../src/overlay/union/union.js'
import { callFace, type Driven } from './face-calls.js'
import { memoryUpper } from './memory-upper.js'
import { Random } from './random-tar.js'
import { withoutLinks } from './union-compare.js'
import { canonical, dumpUnion, dumpUpper } from './union-dump.js'
import { layerOf, rootOf, runAll, unionOf } from './union-run.js'
import { type Op, sequence, type TreeNode, type TreeNodes } from './union-sequence.js'

export class Reached implements Driven {
  readonly union: Union
  readonly box: Driven['box']
  readonly open = new Map<number, number>()

  constructor(union: Union) {
    this.union = union
    this.box = createContainerFace(union)
  }

  /** Does it; what fails says its errno. */
  do(...op: Op): string {
    return (callFace(this, op) as { errno?: string } | null)?.errno ?? 'ok'
  }

  view(): TreeNodes {
    return withoutLinks(dumpUnion(this.union)) as TreeNodes
  }

  upper(): TreeNodes {
    return dumpUpper(this.union).children!
  }

  canonical(): unknown {
    return canonical(this.union, dumpUpper(this.union))
  }

  /** All paths that are shown, with what is there. */
  paths(): readonly (readonly [path: string, node: TreeNode])[] {
    return [...pathsOf(this.view(), '')]
  }

  /** A union over the same upper that has seen nothing yet. */
  reopened(): Reached {
    return new Reached(unionOf([...this.union.lowers].reverse(), this.union.upper!))
  }
}

export function* pathsOf(tree: TreeNodes, at: string): Generator<readonly [string, TreeNode]> {
  for (const [name, node] of Object.entries(tree)) {
    yield [`${at}/${name}`, node]
    yield* pathsOf(node.children ?? {}, `${at}/${name}`)
  }
}

/** What stands at a path. */
export function at(tree: TreeNodes, path: string): TreeNode | undefined {
  const [name, ...rest] = path.split('/').filter(Boolean)
  const node = tree[name!]
  return rest.length === 0 ? node : node?.children && at(node.children, rest.join('/'))
}

/** Every node changed. */
export function mapped(tree: TreeNodes, change: (node: TreeNode) => TreeNode): TreeNodes {
  return Object.fromEntries(
    Object.entries(tree).map(([name, { children, ...node }]) => [
      name,
      { ...change(node), ...(children && { children: mapped(children, change) }) },
    ]),
  )
}

/** Without the times of directories, which every change of a name changes. */
export function timeless(tree: TreeNodes): TreeNodes {
  return mapped(tree, node => (node.t === 'd' ? { ...node, mtime: 0 } : node))
}

export function reach(seed: number, directoryRename: 'copy' | 'exdev' = 'exdev', operations = 25) {
  const { layers, ops } = sequence(seed, operations, 4)
  const reached = new Reached(unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename }))
  runAll(reached.union, ops)
  return { reached, layers, ops, random: new Random(seed + 1) }
}
