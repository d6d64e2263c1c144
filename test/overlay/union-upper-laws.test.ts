/** Laws of what a container's upper holds, over random containers: no whiteout too few, none too many, nothing lost. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { loadChecksums } from '../../src/layerfile/checksum.js'
import { Union } from '../../src/overlay/union/union.js'
import { inDirectory } from '../build/in-directory.js'
import { memoryUpper } from '../build/memory-upper.js'
import { packedUpper } from '../build/packed-upper.js'
import { at, pathsOf, Reached, reach } from '../build/reached.js'
import { withoutLinks } from '../build/union-compare.js'
import { canonical, dumpUnion } from '../build/union-dump.js'
import { layerOf, outcomeOf, rootOf, runAll, unionOf } from '../build/union-run.js'
import { type Op, sequence, type TreeNode, type TreeNodes } from '../build/union-sequence.js'

const numRuns = Number(process.env.PHYLLO_RUNS ?? 40)

function law(name: string, check: (made: ReturnType<typeof reach>) => void): void {
  test(name, () =>
    fc.assert(
      fc.property(fc.nat(), seed => check(reach(seed))),
      { numRuns },
    ),
  )
}

/** The upper as one more layer over the same ones: what a kernel would show of it. */
function materialised(layers: readonly TreeNodes[], upper: TreeNodes): unknown {
  return withoutLinks(dumpUnion(new Union([...layers, upper].map(layerOf), {})))
}

/** The tree without the whiteout, or without the mark, at each of these paths in turn. */
function* spoilt(upper: TreeNodes, isOne: (path: string, node: TreeNode) => boolean): Generator<TreeNodes> {
  for (const [path, node] of pathsOf(upper, '')) if (isOne(path, node)) yield changed(upper, path.split('/').slice(1))
}

/** In its order: what a name links to stands before it. */
function changed(tree: TreeNodes, [name, ...rest]: readonly string[]): TreeNodes {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([each, node]): [string, TreeNode][] => {
      if (each !== name) return [[each, node]]
      if (rest.length > 0) return [[each, { ...node, children: changed(node.children!, rest) }]]
      return node.t === 'w' ? [] : [[each, { ...node, opaque: false }]]
    }),
  )
}

law('P-17: a whiteout hides something, and without it that would be shown', ({ reached, layers }) => {
  const view = reached.view()
  for (const upper of spoilt(reached.upper(), (_, { t }) => t === 'w'))
    assert.notDeepEqual(materialised(layers, upper), view)
})

law('P-18, P-60: the upper as a layer shows the same, its canonical form too, and of that no mark can go', made => {
  const { reached, layers } = made
  const [view, upper] = [reached.view(), reached.upper()]
  assert.deepEqual(materialised(layers, upper), view)
  const kept = reached.canonical() as Kinds
  const pruned = prune(upper, kept)
  assert.deepEqual(materialised(layers, pruned), view)
  assert.deepEqual(canonical(reached.union, { t: 'd', children: pruned }), kept)
  const below = withoutLinks(dumpUnion(new Union([...reached.union.lowers].reverse(), {}))) as TreeNodes
  const hides = (path: string, { opaque, children = {} }: TreeNode) =>
    opaque === true && Object.keys(at(below, path)?.children ?? {}).some(name => children[name] === undefined)
  for (const other of spoilt(pruned, hides)) assert.notDeepEqual(materialised(layers, other), view)
})

type Kinds = { readonly [name: string]: string | { readonly opaque: boolean; readonly children: Kinds } }

/** What the canonical form keeps. */
function prune(upper: TreeNodes, kept: Kinds): TreeNodes {
  return Object.fromEntries(
    Object.entries(upper).flatMap(([name, node]): [string, TreeNode][] => {
      const kind = kept[name]
      if (kind === undefined) return []
      if (typeof kind === 'string') return [[name, node]]
      return [[name, { ...node, opaque: kind.opaque, children: prune(node.children ?? {}, kind.children) }]]
    }),
  )
}

law('P-20: there is no whiteout below what is opaque or the upper’s own', ({ reached }) => {
  for (const [path, { opaque, children = {} }] of pathsOf(reached.upper(), ''))
    if (opaque) for (const [below, { t }] of pathsOf(children, path)) assert.notEqual(t, 'w', below)
})

const file: TreeNode = { t: 'f', mode: 0o644, data: 'x' }
const makers: Readonly<Record<string, Op>> = {
  create: ['open', '/x', 'w+c', 0o644, ''],
  mkdir: ['mkdir', '/x', 0o755],
  mknod: ['mknod', '/x', 0o10644, 0, 0],
  symlink: ['symlink', 'y', '/x'],
  link: ['link', '/y', '/x'],
  rename: ['rename', '/y', '/x', ''],
  'rename of a directory': ['rename', '/n', '/x', ''],
}

for (const [name, maker] of Object.entries(makers))
  test(`P-19: what is made where something was removed takes the place of its whiteout: ${name}`, () => {
    for (const below of [file, { t: 'd', mode: 0o755, children: { z: file } } as const]) {
      const union = unionOf([layerOf({ x: below, y: file })], memoryUpper(rootOf()))
      const made = new Reached(union)
      assert.deepEqual([made.do('mkdir', '/n', 0o755), made.do('rmrf', '/x')], ['ok', 'ok'])
      assert.equal(at(made.upper(), '/x')?.t, 'w')
      assert.equal(outcomeOf(union, maker), null)
      assert.notEqual(at(made.upper(), '/x')?.t, 'w')
      const shown = at(made.reopened().view(), '/x')
      assert.deepEqual(shown?.children ?? {}, {})
      assert.deepEqual(shown, at(made.view(), '/x'))
    }
  })

law('P-22: the layers are as before, whatever was done', ({ reached, layers }) => {
  for (const [i, layer] of [...reached.union.lowers].reverse().entries())
    assert.deepEqual(dumpUnion(new Union([layer], {})), dumpUnion(new Union([layerOf(layers[i]!)], {})))
})

law('P-24: a union that opens the same upper shows the same, and goes on in the same way', ({ reached, random }) => {
  const other = reached.reopened()
  assert.deepEqual(other.view(), reached.view())
  const { ops } = sequence(random.int(1e6), 10)
  assert.deepEqual(runAll(other.union, ops.slice(0, 5)).length, 5)
  assert.deepEqual(reached.reopened().view(), other.view())
})

law('P-28: a directory that was copied up has the attributes that were shown', ({ reached, random }) => {
  const below = reached.paths().filter(([, { t }]) => t === 'f')
  if (below.length === 0) return
  const [path] = random.pick(below)
  const before = reached.view()
  reached.do('open', path, 'w', 0, '')
  const steps = path.split('/').slice(1, -1)
  for (const [i] of steps.entries()) {
    const parent = `/${steps.slice(0, i + 1).join('/')}`
    const { children: _, ...shown } = at(before, parent)!
    const { children: __, opaque: ___, ...held } = at(reached.upper(), parent)!
    assert.deepEqual(held, shown, parent)
  }
})

law('P-29: what is made where a tree was removed is empty, now and for who opens it anew', ({ reached, random }) => {
  const directories = reached.paths().filter(([, { t }]) => t === 'd')
  if (directories.length === 0) return
  const [path] = random.pick(directories)
  assert.equal(reached.do('rmrf', path), 'ok')
  assert.equal(reached.do('mkdir', path, 0o755), 'ok')
  for (const each of [reached, reached.reopened()]) assert.deepEqual(at(each.view(), path)!.children, {})
})

const checksums = await loadChecksums()

test(
  'P-46: the same calls at the same times give the same journal, byte for byte',
  inDirectory(async directory => {
    for (let seed = 0; seed < 10; seed++) {
      const { layers, ops } = sequence(seed, 40)
      const journals = ['one', 'other'].map(async name => {
        const place = join(directory, `${seed}-${name}`)
        const upper = await packedUpper(place, { root: rootOf(), checksums, eager: true })
        runAll(unionOf(layers.map(layerOf), upper), ops)
        await upper.close()
        return readFileSync(join(place, 'journal'))
      })
      const [one, other] = await Promise.all(journals)
      assert.ok(one!.equals(other!), `seed ${seed}`)
    }
  }),
)
