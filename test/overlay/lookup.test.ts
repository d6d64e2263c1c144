/** Rules R-LK-1 to R-LK-7 and R-RD of overlayfs, on trees written as literals (top first in each test's name). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ByteString, fromText } from '../../src/byte-string.js'
import { lookup, lowersOf, rootStack, type Stack } from '../../src/overlay/union/lookup.js'
import { merge } from '../../src/overlay/union/merge.js'
import { type Children, layersOf, opaque, whiteout } from '../build/memory-layer.js'

/** Layer numbers (0 is the base) of the stack at a path without symlinks; trees are given base first. */
function layersAt(path: string, ...trees: Children[]): number[] {
  const lowers = lowersOf(layersOf(...trees))
  let stack = rootStack(lowers)
  for (const name of path.split('/')) stack = lookup(lowers, stack, fromText(name))
  return stack.map(({ lower }) => trees.length - 1 - lower)
}

function listed(path: string, ...trees: Children[]): Record<string, number[]> {
  const lowers = lowersOf(layersOf(...trees))
  let stack = rootStack(lowers)
  for (const name of path.split('/').filter(Boolean)) stack = lookup(lowers, stack, fromText(name))
  const names: Record<string, number[]> = {}
  merge(lowers, stack, (name: ByteString, found: Stack) => {
    names[name] = found.map(({ lower }) => trees.length - 1 - lower)
  })
  return names
}

test('a file of an upper layer hides what lies below, and directories merge', () => {
  assert.deepEqual(layersAt('f', { f: 'old' }, { f: 'new' }), [1])
  assert.deepEqual(layersAt('d', { d: {} }, {}, { d: {} }), [2, 0])
  assert.deepEqual(layersAt('d/x', { d: { x: '1' } }, { d: {} }), [0])
})

test('R-LK-2: dir over file over dir, dir over whiteout over dir', () => {
  assert.deepEqual(layersAt('d', { d: {} }, { d: 'file' }, { d: {} }), [2])
  assert.deepEqual(layersAt('d', { d: {} }, { d: whiteout }, { d: {} }), [2])
  assert.deepEqual(layersAt('d', { d: {} }, { d: whiteout }), [])
})

test('R-LK-3: an opaque mark on a root is ignored; R-OP-1: elsewhere it ends the search', () => {
  assert.deepEqual(layersAt('f', { f: '' }, opaque({}) as unknown as Children), [0])
  assert.deepEqual(layersAt('d', { d: {} }, { d: opaque() }, { d: {} }), [2, 1])
  assert.deepEqual(layersAt('d/x', { d: { x: '' } }, { d: opaque() }, { d: {} }), [])
})

test('a name is listed once, with the stack that lookup gives, in byte order, and no whiteout is', () => {
  const trees: Children[] = [
    { d: { a: '', gone: '', sub: {} } },
    { d: { gone: whiteout, sub: {}, B: '' } },
    { d: { sub: { x: '' }, lone: whiteout } },
  ]
  assert.deepEqual(listed('d', ...trees), { B: [1], a: [0], sub: [2, 1, 0] })
  assert.deepEqual(Object.keys(listed('d', ...trees)), ['B', 'a', 'sub'])
  assert.deepEqual(listed('only', { only: { hidden: whiteout, there: '' } }), { there: [0] })
  assert.deepEqual(listed('', { d: whiteout, e: '' }), { e: [0] })
})

test('a whiteout stays decisive for the layers below it when a name comes back above', () => {
  assert.deepEqual(listed('', { d: { old: '' } }, { d: whiteout }, { d: { new: '' } }), { d: [2] })
  assert.deepEqual(listed('d', { d: { old: '' } }, { d: whiteout }, { d: { new: '' } }), { new: [2] })
  assert.deepEqual(listed('d', { d: { sub: { deep: '' } } }, { d: { sub: opaque() } }, { d: { sub: {} } }), {
    sub: [2, 1],
  })
})

test('P-76: looking up costs one search in each member, listing one listing of each', () => {
  const layers = layersOf({ d: { a: '' } }, { other: '' }, { d: { b: '' } })
  const lowers = lowersOf(layers)
  const stack = lookup(lowers, rootStack(lowers), fromText('d'))
  for (const layer of layers) assert.equal(layer.calls.lookup, 1)
  merge(lowers, stack, () => undefined)
  assert.deepEqual(
    layers.map(layer => layer.calls.list),
    [1, 0, 1],
  )
})
