/** Reading an open layer file: any range, with any cache, in any order, and its end. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { BlockCache } from '../../src/layerfile/block-cache.js'
import { type LayerFile, openLayerFile } from '../../src/layerfile/reader.js'
import { KiB } from '../../src/limits.js'
import { scratch, writeLayer } from '../build/layerfile.js'
import * as build from '../build/tar.js'

const line = 'all happy families are alike; '
const contents = [
  Buffer.from(line.repeat(10)),
  Buffer.from(line.repeat(1000)),
  randomBytes(300 * KiB),
  Buffer.from(line.repeat(30_000)),
  Buffer.alloc(0),
  Buffer.concat([randomBytes(256 * KiB), Buffer.from(line.repeat(20_000)), randomBytes(70 * KiB)]),
]
const archive = build.tar(contents.map((content, i) => build.file(`${i}`, content)))

async function fileOf(t: TestContext, compression: 'lz4' | 'none', cache?: BlockCache): Promise<LayerFile> {
  const path = join(scratch(t), 'layer')
  await writeLayer(path, archive, { compression })
  const file = await openLayerFile(path, cache === undefined ? {} : { cache })
  t.after(() => file.close())
  return file
}

for (const compression of ['lz4', 'none'] as const)
  for (const cacheBytes of [0, 64 * KiB, 8192 * KiB])
    test(`any range of any content: ${compression}, ${cacheBytes} bytes of cache`, async t => {
      const cache = new BlockCache(cacheBytes)
      const file = await fileOf(t, compression, cache)
      const range = fc.record({
        which: fc.nat(contents.length - 1),
        position: fc.oneof(fc.nat(2000), fc.nat(1_000_000)),
        length: fc.oneof(fc.nat(100), fc.nat(1_000_000)),
      })
      await fc.assert(
        fc.asyncProperty(range, async ({ which, position, length }) => {
          const expected = contents[which]!.subarray(position, position + length)
          const inode = file.index.lookup(0, `${which}` as never)
          const [one, other] = [Buffer.alloc(length), Buffer.alloc(length)]
          assert.equal(file.readSync(inode, position, one), expected.length)
          assert.equal(await file.read(inode, position, other), expected.length)
          assert.ok(one.subarray(0, expected.length).equals(expected))
          assert.ok(other.subarray(0, expected.length).equals(expected))
          assert.ok(
            one.subarray(expected.length).every(byte => byte === 0),
            'nothing is written past the end',
          )
          assert.ok(cache.bytes <= cacheBytes)
        }),
        { numRuns: 60 },
      )
    })

test('many reads at once', async t => {
  const file = await fileOf(t, 'lz4')
  const reads = Array.from({ length: 60 }, async (_, i) => {
    const position = i * 5000
    const into = Buffer.alloc(20_000)
    const count = await file.readTar(position, into)
    assert.ok(into.subarray(0, count).equals(archive.subarray(position, position + 20_000)))
  })
  await Promise.all(reads)
})

test('the tar in pieces of any size, jumps included', async t => {
  const file = await fileOf(t, 'lz4')
  const jumps = fc.array(
    fc.record({ jump: fc.option(fc.nat(archive.length)), length: fc.integer({ min: 1, max: 600_000 }) }),
    { maxLength: 12 },
  )
  await fc.assert(
    fc.asyncProperty(jumps, async steps => {
      let at = 0
      for (const { jump, length } of steps) {
        at = jump ?? at
        const into = Buffer.alloc(length)
        const count = await file.readTar(at, into)
        assert.ok(into.subarray(0, count).equals(archive.subarray(at, at + length)))
        assert.equal(count, Math.max(0, Math.min(length, archive.length - at)))
        at += count
      }
    }),
    { numRuns: 40 },
  )
})

test('what has no content reads as empty', async t => {
  const path = join(scratch(t), 'layer')
  await writeLayer(path, build.tar([build.dir('d'), build.symlink('l', 'target'), build.fifo('p')]))
  const file = await openLayerFile(path)
  t.after(() => file.close())
  for (let inode = 0; inode < file.index.inodeCount; inode++) {
    assert.equal(file.readSync(inode, 0, Buffer.alloc(10)), 0)
    assert.equal(await file.read(inode, 0, Buffer.alloc(10)), 0)
    assert.equal(file.index.contentOffset(inode), 0)
  }
})

test('a position that is no position is a misuse', async t => {
  const file = await fileOf(t, 'lz4')
  assert.throws(() => file.readSync(1, -1, Buffer.alloc(1)), TypeError)
  await assert.rejects(file.readTar(0.5, Buffer.alloc(1)), TypeError)
})

test('close waits for reads that are under way, comes twice, and ends reading', async t => {
  const file = await fileOf(t, 'none')
  const inode = file.index.lookup(0, '5' as never)
  const into = Buffer.alloc(contents[5]!.length)
  const reading = file.read(inode, 0, into)
  await Promise.all([file.close(), file.close()])
  assert.equal(await reading, into.length)
  assert.ok(into.equals(contents[5]!))
  assert.throws(() => file.readSync(inode, 0, into), { code: 'STORE_CLOSED' })
  await assert.rejects(file.read(inode, 0, into), { code: 'STORE_CLOSED' })
  await assert.rejects(file.readTar(0, into), { code: 'STORE_CLOSED' })
  assert.equal(file.index.sizeBytes(inode), into.length)
})

test('the cache is shared, bounded, and forgets a file that is closed', async t => {
  const cache = new BlockCache(100 * KiB)
  const [one, other] = [await fileOf(t, 'lz4', cache), await fileOf(t, 'lz4', cache)]
  for (const file of [one, other]) for (let inode = 1; inode < 7; inode++) file.readSync(inode, 1, Buffer.alloc(10))
  assert.ok(cache.bytes > 0 && cache.bytes <= 100 * KiB)
  await one.close()
  await other.close()
  assert.equal(cache.bytes, 0)
})
