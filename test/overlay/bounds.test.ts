/** Memory stays bounded, cost stays linear (P-76): hostile directories, many layers, many paths. Counts, not times. */
import assert from 'node:assert/strict'
import type { Stats } from 'node:fs'
import { test } from 'node:test'
import { fromText } from '../../src/byte-string.js'
import { attributeCalls } from '../../src/overlay/face/calls-attributes.js'
import { createView } from '../../src/overlay/face/view.js'
import { pathArgument } from '../../src/overlay/union/arguments.js'
import { DentryTree } from '../../src/overlay/union/dentry.js'
import { lowersOf } from '../../src/overlay/union/lookup.js'
import { PathCache } from '../../src/overlay/union/path-cache.js'
import { Union } from '../../src/overlay/union/union.js'
import { type Children, file, layersOf, opaque, whiteout } from '../build/memory-layer.js'

function manyNames(count: number): Children {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`${'common-prefix-'.repeat(10)}${n}`, '']))
}

test('H6: a directory is listed once, however often it is asked; one file of it does not list it', () => {
  const layers = layersOf({ huge: manyNames(20_000) }, { huge: {} })
  const view = createView(layers)
  const name = `${'common-prefix-'.repeat(10)}7`
  view.statSync(`/huge/${name}`)
  assert.deepEqual(
    layers.map(({ calls }) => calls.list),
    [0, 0],
  )
  for (const found of view.readdirSync('/huge')) view.statSync(`/huge/${found}`)
  for (let n = 0; n < 1000; n++) assert.equal(view.existsSync(`/huge/absent${n}`), false)
  assert.ok(layers.every(({ calls }) => calls.list <= 2))
  assert.ok(layers.every(({ calls }) => calls.lookup <= 10))
})

test('H6: an opaque directory over a huge one does not look at it', () => {
  const layers = layersOf({ d: manyNames(10_000) }, { d: opaque({ x: '' }) })
  const view = createView(layers)
  assert.deepEqual(view.readdirSync('/d'), ['x'])
  assert.equal(layers[0]!.calls.list, 0)
})

test('after one visit, looking up costs no layer anything, at 1, 10 and 100 layers', () => {
  for (const count of [1, 10, 100]) {
    const layers = layersOf(
      ...Array.from({ length: count }, (_, n): Children => ({ d: { [`f${n}`]: '', gone: whiteout } })),
    )
    const view = createView(layers)
    view.readdirSync('/')
    view.readdirSync('/d')
    const before = layers.map(({ calls }) => ({ ...calls }))
    for (let n = 0; n < count; n++) view.statSync(`/d/f${n}`)
    assert.equal(view.existsSync('/d/gone'), false)
    assert.equal(view.existsSync('/d/more'), false)
    assert.deepEqual(
      layers.map(({ calls }) => ({ ...calls })),
      before,
    )
  }
})

test('the path cache holds two generations, keeps what is used, and drops the rest', () => {
  const cache = new PathCache(10)
  for (let n = 0; n < 100; n++) {
    cache.set(`/${n}`, -1)
    assert.equal(cache.get('/0'), -1)
    assert.ok(cache.size <= 20)
  }
  assert.equal(cache.get('/50'), undefined)
  cache.set('/'.repeat(5000), -1)
  assert.equal(cache.get('/'.repeat(5000)), undefined)
})

test('the tree forgets when it has grown too large, and goes on giving right answers', () => {
  const literal: Children = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`d${n}`, manyNames(20)]))
  const lowers = lowersOf(layersOf(literal, {}))
  const tree = new DentryTree(lowers, 100)
  const held = tree.child(tree.root, fromText('d3'))!
  let seen = 0
  for (const directory of [...tree.children(tree.root)]) seen += [...tree.children(directory)].length
  assert.equal(seen, 600)
  assert.ok(tree.generation > 0)
  assert.equal([...tree.children(held)].length, 20)
  assert.equal(tree.pathOf(held), '/d3')
})

test('what was forgotten is walked anew: a path never gets the attributes of another', () => {
  const union = new Union(layersOf({ a: 'x', b: 'yy', d: { c: 'zzz', e: {} } }), {})
  const { stat, exists } = attributeCalls(union)
  const held = union.lookup(pathArgument('/d/c'), true)
  assert.ok(typeof held !== 'string')
  const sizes: [string, number | undefined][] = [
    ['/a', 1],
    ['/b', 2],
    ['/d/c', 3],
    ['/none', undefined],
  ]
  for (let round = 0; round < 4; round++) {
    for (const [path, size] of sizes) {
      for (let again = 0; again < 2; again++) {
        const stats = stat!.sync!(path, { throwIfNoEntry: false }) as Stats | undefined
        assert.equal(stats?.size, size)
        assert.equal(exists!.sync!(path), size !== undefined)
      }
    }
    union.tree.forget()
    sizes.reverse()
    assert.equal(union.stats(held).size, 3)
  }
})

test('the rows of a thousand files are theirs, also where numbers are larger than 32 bits', () => {
  const union = new Union(
    layersOf(Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`f${n}`, file('x'.repeat(n), times(n))]))),
    {},
  )
  for (let pass = 0; pass < 2; pass++) {
    for (let n = 0; n < 1000; n++) {
      const stats = union.stats(union.at(pathArgument(`/f${n}`), true, 'stat'))
      const { mtimeSec, mtimeNsec, uid } = times(n)
      assert.deepEqual([stats.size, stats.uid, stats.mtimeMs], [n, uid, mtimeSec * 1000 + mtimeNsec / 1e6])
    }
  }
})

function times(n: number) {
  return { mtimeSec: (n - 500) * 2 ** 25, mtimeNsec: n * 1_000_000, uid: 2 ** 32 - 1 - n }
}
