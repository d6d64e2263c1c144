/** A layer file through the Layer interface of the drivers. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ByteString } from '../../../src/byte-string.js'
import { ABSENT, type Layer, WHITEOUT } from '../../../src/drivers/layer.js'
import { openPackedLayer } from '../../../src/drivers/packed/packed-layer.js'
import { inodeAt, layerOf, scratch, writeLayer } from '../../build/layerfile.js'
import { dir, file, hardlink, symlink, tar } from '../../build/tar.js'

const name = (text: string): ByteString => Buffer.from(text).toString('latin1') as ByteString

test('names are found, hidden or absent', async t => {
  const layer: Layer = await layerOf(t, tar([dir('d'), file('d/é', '1'), file('d/.wh.gone'), symlink('l', 'd')]))
  const d = layer.lookup(0, name('d'))
  assert.ok(d > 0)
  assert.ok(layer.lookup(d, name('é')) > 0)
  assert.equal(layer.lookup(d, name('gone')), WHITEOUT)
  assert.equal(layer.lookup(d, name('other')), ABSENT)
  assert.equal(layer.lookup(d, name('')), ABSENT)
  assert.equal(layer.lookup(layer.lookup(0, name('l')), name('é')), ABSENT)
  assert.equal(layer.lookup(layer.lookup(d, name('é')), name('x')), ABSENT)
})

test('any set of names is found again, and no other', async t => {
  const bytes = fc.array(
    fc.integer({ min: 48, max: 255 }).filter(byte => byte !== 92),
    { minLength: 1, maxLength: 6 },
  )
  const names = fc.uniqueArray(
    bytes.map(all => Buffer.from(all).toString('latin1') as ByteString),
    { minLength: 1, maxLength: 60 },
  )
  await fc.assert(
    fc.asyncProperty(names, names, async (there, others) => {
      const layer = await layerOf(t, tar(there.map(each => file(Buffer.from(each, 'latin1'), each))))
      for (const each of there) assert.ok(layer.lookup(0, each) > 0)
      for (const each of others) assert.equal(layer.lookup(0, each) > 0, there.includes(each))
      const listed: string[] = []
      layer.list(0, each => listed.push(each))
      assert.deepEqual(listed, [...there].sort())
    }),
    { numRuns: 30 },
  )
})

test('attributes, content and where it stands', async t => {
  const layer = await layerOf(
    t,
    tar([
      file('a', 'first', { mode: 0o4755, uid: 2_000_000, gid: 7, mtime: -5 }),
      file('b', 'second', { pax: { mtime: '-1.25' } }),
      hardlink('c', 'b', { pax: { mtime: '-1.25' } }),
      symlink('l', 'target'),
    ]),
  )
  const a = inodeAt(layer, 'a')
  assert.deepEqual(layer.inode(a), {
    mode: 0o104755,
    uid: 2_000_000,
    gid: 7,
    nlink: 1,
    sizeBytes: 5,
    mtimeSec: -5,
    mtimeNsec: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    opaque: false,
    implied: false,
  })
  const b = layer.inode(inodeAt(layer, 'b'))
  assert.deepEqual([b.mtimeSec, b.mtimeNsec, b.nlink], [-2, 750_000_000, 2])
  assert.equal(inodeAt(layer, 'c'), inodeAt(layer, 'b'))
  assert.equal(layer.readlink(inodeAt(layer, 'l')), 'target')
  assert.equal(layer.inode(inodeAt(layer, 'l')).sizeBytes, 6)
  assert.ok(layer.contentOffset(a) < layer.contentOffset(inodeAt(layer, 'b')))
  const into = Buffer.alloc(5)
  assert.equal(await layer.readTar(layer.contentOffset(a), into), 5)
  assert.equal(into.toString(), 'first')
  assert.equal(await layer.read(a, 1, into), 4)
  assert.equal(into.toString('latin1', 0, 4), 'irst')
})

test('metadata outlives close, contents do not', async t => {
  const path = join(scratch(t), 'layer')
  await writeLayer(path, tar([file('a', 'x')]))
  const layer = await openPackedLayer(path)
  await layer.close()
  assert.equal(layer.inode(inodeAt(layer, 'a')).sizeBytes, 1)
  assert.throws(() => layer.readSync(inodeAt(layer, 'a'), 0, Buffer.alloc(1)), { code: 'STORE_CLOSED' })
})
