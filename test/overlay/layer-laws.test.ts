/** Laws of stacks of layers, over random ones: what a layer may say in another way, and what it can never change. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Union } from '../../src/overlay/union/union.js'
import { NaiveContainer } from '../build/naive-container.js'
import { layers, names } from '../build/union-arbitraries.js'
import { withoutLinks } from '../build/union-compare.js'
import { dumpUnion } from '../build/union-dump.js'
import { layerOf } from '../build/union-run.js'
import type { TreeNode, TreeNodes } from '../build/union-sequence.js'

type Stack = readonly TreeNodes[]
/** Names from the root. */
type Path = readonly string[]

const numRuns = Number(process.env.PHYLLO_RUNS ?? 120)

function viewOf(stack: Stack): TreeNodes {
  return withoutLinks(dumpUnion(new Union(stack.map(layerOf), {}))) as TreeNodes
}

function law(name: string, check: (stack: Stack, pick: <T>(list: readonly T[]) => T) => void): void {
  test(name, () =>
    fc.assert(
      fc.property(layers(), fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 }), (stack, numbers) => {
        let used = 0
        check(stack, list => list[numbers[used++ % numbers.length]! % list.length]!)
      }),
      { numRuns },
    ),
  )
}

function* pathsOf(tree: TreeNodes, at: Path = []): Generator<readonly [Path, TreeNode]> {
  for (const [name, node] of Object.entries(tree)) {
    yield [[...at, name], node]
    yield* pathsOf(node.children ?? {}, [...at, name])
  }
}

const all = (tree: TreeNodes) => [...pathsOf(tree)]
const directories = (tree: TreeNodes) => all(tree).filter(([, { t }]) => t === 'd')

/** A layer with one thing to say; on the way there it says what is shown anyway. */
function layerWith(view: TreeNodes, [name, ...rest]: Path, leaf: TreeNode): TreeNodes {
  if (rest.length === 0) return { [name!]: leaf }
  const { children = {}, ...directory } = view[name!]!
  return { [name!]: { ...directory, children: layerWith(children, rest, leaf) } }
}

function without(tree: TreeNodes, [name, ...rest]: Path): TreeNodes {
  const { [name!]: node, ...others } = tree
  if (rest.length === 0 || node === undefined) return others
  return { ...others, [name!]: { ...node, children: without(node.children ?? {}, rest) } }
}

/** The same tree with every node changed. */
function each(tree: TreeNodes, change: (node: TreeNode) => TreeNode): TreeNodes {
  return Object.fromEntries(
    Object.entries(tree).map(([name, { children, ...node }]) => [
      name,
      { ...change(node), ...(children && { children: each(children, change) }) },
    ]),
  )
}

const gone: TreeNode = { t: 'w' }

law('P-06: nothing that lived below a removed name comes back, whatever is made there later', (stack, pick) => {
  const old = 4242
  const marked = stack.map(tree => each(tree, node => (node.t === 'w' ? node : { ...node, uid: old })))
  const view = viewOf(marked)
  if (all(view).length === 0) return
  const [path] = pick(all(view))
  const after = viewOf([...marked, layerWith(view, path, gone), ...[...stack].reverse()])
  for (const [found, { uid }] of pathsOf(after))
    if (path.every((name, at) => found[at] === name)) assert.notEqual(uid, old, found.join('/'))
})

law('P-10: a whiteout changes what is at its path and below, and nothing else', (stack, pick) => {
  const view = viewOf(stack)
  if (all(view).length === 0) return
  const [path] = pick(all(view))
  assert.deepEqual(viewOf([...stack, layerWith(view, path, gone)]), without(view, path))
})

law('P-11: an opaque directory is one with a whiteout for each name below', (stack, pick) => {
  const view = viewOf(stack)
  if (directories(view).length === 0) return
  const [path, { children, ...directory }] = pick(directories(view))
  const whiteouts = Object.fromEntries(Object.keys(children ?? {}).map(name => [name, gone]))
  const opaque = viewOf([...stack, layerWith(view, path, { ...directory, opaque: true, children: {} })])
  assert.deepEqual(opaque, viewOf([...stack, layerWith(view, path, { ...directory, children: whiteouts })]))
})

law('P-12: whiteouts and opaque marks with nothing below change nothing', ([base, ...stack], pick) => {
  const view = viewOf([base!, ...stack])
  const marked = each(base!, node => (node.t === 'd' ? { ...node, opaque: true } : node))
  assert.deepEqual(viewOf([marked, ...stack]), view)
  const [path] = pick([[[] as Path] as const, ...directories(view)])
  assert.deepEqual(viewOf([base!, ...stack, layerWith(view, [...path, 'nowhere'], gone)]), view)
})

law(
  'P-13: a directory entry like the one that is shown changes nothing, and neither does an empty layer',
  (stack, pick) => {
    const view = viewOf(stack)
    const at = pick([...stack.keys()])
    assert.deepEqual(viewOf([...stack.slice(0, at), {}, ...stack.slice(at)]), view)
    if (directories(view).length === 0) return
    const [path, { children: _, ...directory }] = pick(directories(view))
    assert.deepEqual(viewOf([...stack, layerWith(view, path, { ...directory, children: {} })]), view)
  },
)

/** Of a layer: what it takes away, and what it puts there. */
function split(tree: TreeNodes): readonly [TreeNodes, TreeNodes] {
  const [taken, put]: [Record<string, TreeNode>, Record<string, TreeNode>] = [{}, {}]
  for (const [name, node] of Object.entries(tree)) {
    if (node.t === 'w') taken[name] = node
    else if (node.t !== 'd') put[name] = node
    else {
      const [below, above] = split(node.children ?? {})
      taken[name] = { ...node, children: below }
      put[name] = { ...node, opaque: false, children: above }
    }
  }
  return [taken, put]
}

law('P-14: a layer in two, first what it takes away and then what it puts there, is the same', (stack, pick) => {
  const at = pick([...stack.keys()])
  const two = [...stack.slice(0, at), ...split(stack[at]!), ...stack.slice(at + 1)]
  assert.deepEqual(viewOf(two), viewOf(stack))
})

law('P-15: any two neighbours made one layer, again and again until there is one, show the same', (stack, pick) => {
  const view = viewOf(stack)
  const model = new NaiveContainer(stack)
  while (model.trees.length > 2) {
    model.squash(1 + (pick([0, 1, 2, 3]) % (model.trees.length - 2)))
    const squashed = model.trees.slice(1).map((_, at) => model.tree(at + 1))
    assert.deepEqual(viewOf(squashed.reverse()), view)
  }
})

law(
  'P-07, P-08: a file hides all that is below it, and a directory shows what its topmost entry says',
  (stack, pick) => {
    const [name, mode] = [pick(names), pick([0o700, 0o711])]
    const hidden = viewOf([...stack, { [name]: { t: 'f', mode: 0o600, data: 'x' } }])
    assert.equal(hidden[name]!.children, undefined)
    const top = { t: 'd', mode, uid: 5, gid: 6, mtime: 7e9, xattrs: { 'user.top': 'y' } } as const
    const { children: _, ...shown } = viewOf([...stack, { [name]: { ...top, children: {} } }])[name]!
    assert.deepEqual(shown, top)
  },
)
