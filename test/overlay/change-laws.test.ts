/** Laws of the list of changes, over random containers: it says all, it says nothing too much, and backwards it is its mirror. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { type ContainerChange, changes } from '../../src/overlay/difference/changes.js'
import { Union } from '../../src/overlay/union/union.js'
import { memoryUpper } from '../build/memory-upper.js'
import { pathsOf, Reached, reach, timeless } from '../build/reached.js'
import { withoutLinks } from '../build/union-compare.js'
import { dumpUnion } from '../build/union-dump.js'
import { layerOf, rootOf, unionOf } from '../build/union-run.js'
import type { Op, TreeNode, TreeNodes } from '../build/union-sequence.js'

const numRuns = Number(process.env.PHYLLO_RUNS ?? 40)

type Change = Pick<ContainerChange, 'kind' | 'path'>
type Flat = ReadonlyMap<string, TreeNode>

/** Times of directories are no change. */
function flat(tree: TreeNodes): Flat {
  return new Map([...pathsOf(timeless(tree), '')].map(([path, { children: _, ...node }]) => [path, node]))
}

function baseOf({ union }: Reached): TreeNodes {
  return withoutLinks(dumpUnion(new Union([...union.lowers].reverse(), {}))) as TreeNodes
}

/** But for files that were written again, with the same bytes and the same time: contents are not read for this. */
function listed({ union }: Reached, base: Flat, view: Flat): Change[] {
  const again = (path: string) => base.get(path)?.t === 'f' && isDeepStrictEqual(base.get(path), view.get(path))
  return [...changes(union, { style: 'minimal' })].filter(({ path }) => !again(path))
}

/** What the changes make of the base; undefined where something would stand in nothing. */
function applied(base: Flat, view: Flat, list: readonly Change[]): Flat | undefined {
  const tree = new Map(base)
  const clear = (path: string) => {
    for (const other of [...tree.keys()]) if (other.startsWith(`${path}/`)) tree.delete(other)
  }
  for (const { kind, path } of list) {
    const node = view.get(path)
    if (kind === 'D' || node?.t !== 'd' || tree.get(path)?.t !== 'd') clear(path)
    if (kind === 'D') tree.delete(path)
    else tree.set(path, node!)
  }
  const stands = (path: string) => {
    const parent = path.slice(0, path.lastIndexOf('/'))
    return parent === '' || tree.get(parent)?.t === 'd'
  }
  return [...tree.keys()].every(stands) ? tree : undefined
}

const entries = (tree: Flat | undefined) => tree && Object.fromEntries(tree)

test('P-50: all changes make the view of the base, and none can be left out', () => {
  let left = 0
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom('exdev' as const, 'copy' as const), (seed, directoryRename) => {
      const { reached } = reach(seed, directoryRename)
      const [base, view] = [flat(baseOf(reached)), flat(reached.view())]
      const list = listed(reached, base, view)
      assert.deepEqual(entries(applied(base, view, list)), entries(view))
      for (const out of list.keys()) {
        const rest = list.filter((_, at) => at !== out)
        assert.ok(
          !isDeepStrictEqual(entries(applied(base, view, rest)), entries(view)),
          `${list[out]!.path} is too much`,
        )
        left++
      }
    }),
    { numRuns },
  )
  assert.ok(left > 20, `${left} changes`)
})

/** Makes the tree, with all that it says, where there is nothing. */
function make(reached: Reached, tree: TreeNodes, at: string): void {
  const done = (...op: Op) => assert.equal(reached.do(...op), 'ok', JSON.stringify(op))
  for (const [name, node] of Object.entries(tree)) {
    const path = `${at}/${name}`
    const { t, mode = 0, uid = 0, gid = 0, mtime = 0, xattrs = {}, data = '', target = '', rdev = [0, 0] } = node
    if (t === 'd') done('mkdir', path, 0o755)
    else if (t === 'f') done('open', path, 'w+c', 0o644, data)
    else if (t === 'l') done('symlink', target, path)
    else done('mknod', path, { p: 0o10000, c: 0o20000, b: 0o60000, s: 0o140000, w: 0 }[t], ...rdev)
    done('chown', path, uid, gid, false)
    if (t !== 'l') done('chmod', path, mode)
    for (const [key, value] of Object.entries(xattrs)) done('setxattr', path, key, value)
    make(reached, node.children ?? {}, path)
    done('utimes', path, mtime, false)
  }
}

/** The first of each subtree: what is below comes and goes with it. */
function tops(list: readonly Change[], from: Flat, to: Flat): Map<string, string> {
  const kinds = new Map(list.map(({ kind, path }) => [path, kind]))
  const whole = (path: string) =>
    kinds.get(path) === 'A' || (kinds.get(path) === 'C' && from.get(path)!.t !== to.get(path)!.t)
  return new Map(
    list
      .filter(({ path }) => !path.split('/').some((_, at, parts) => at > 0 && whole(parts.slice(0, at).join('/'))))
      .map(({ path, kind }) => [path, kind]),
  )
}

test('P-51: from the view back to the base, what was added is deleted, what was deleted added, what was changed changed', () => {
  const mirror: Readonly<Record<string, string>> = { A: 'D', C: 'C', D: 'A' }
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom('exdev' as const, 'copy' as const), (seed, directoryRename) => {
      const { reached } = reach(seed, directoryRename)
      const [base, view] = [baseOf(reached), reached.view()]
      const back = new Reached(unionOf([layerOf(view)], memoryUpper(rootOf())))
      for (const name of Object.keys(view)) assert.equal(back.do('rmrf', `/${name}`), 'ok')
      make(back, base, '')
      assert.deepEqual(back.view(), base)
      const [from, to] = [flat(base), flat(view)]
      const there = tops(listed(reached, from, to), from, to)
      const again = tops(listed(back, to, from), to, from)
      const mirrored = [...again].map(([path, kind]) => [path, mirror[kind]])
      assert.deepEqual(Object.fromEntries(mirrored), Object.fromEntries(there))
    }),
    { numRuns },
  )
})
