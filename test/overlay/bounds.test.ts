/** Memory stays bounded, cost stays linear: hostile directories, many layers, many paths. Counts, not times. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromText } from '../../src/byte-string.js'
import { DentryTree } from '../../src/overlay/dentry.js'
import { lowersOf } from '../../src/overlay/lookup.js'
import { PathCache } from '../../src/overlay/path-cache.js'
import { createView } from '../../src/overlay/view.js'
import { type Children, layersOf, opaque, whiteout } from '../build/memory-layer.js'

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
    cache.set(`/${n}`, 'ENOENT')
    assert.equal(cache.get('/0'), 'ENOENT')
    assert.ok(cache.size <= 20)
  }
  assert.equal(cache.get('/50'), undefined)
  cache.set('/'.repeat(5000), 'ENOENT')
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
