/** The tar of a layer file in parts: together they are the tar, however it is divided. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { BlockCache } from '../../src/layerfile/block-cache.js'
import { openLayerTar } from '../../src/layerfile/layer-tar.js'
import { openLayerFile } from '../../src/layerfile/reader.js'
import { blockBytes, KiB } from '../../src/limits.js'
import { scratch, writeLayer } from '../build/layerfile.js'
import * as build from '../build/tar.js'

const line = 'it was the best of times, it was the worst of times; '
const archive = build.tar([
  ...Array.from({ length: 40 }, (_, i) => build.file(`small${i}`, line.repeat(i * 9))),
  build.file('noise', randomBytes(600 * KiB)),
  build.file('text', line.repeat(20_000)),
  build.file('short noise', randomBytes(70 * KiB)),
])
const cache = new BlockCache()

for (const compression of ['lz4', 'none'] as const)
  test(`however the tar is divided, each byte comes once: ${compression}`, async t => {
    const path = join(scratch(t), 'layer')
    const { diffId } = await writeLayer(path, archive, { compression })
    const tar = await openLayerTar(path, cache)
    t.after(() => tar.close())
    assert.deepEqual([tar.diffId, tar.tarBytes], [diffId, archive.length])
    const cuts = fc.array(fc.nat(archive.length), { maxLength: 12 })
    const bufferBytes = fc.integer({ min: blockBytes, max: 3 * blockBytes })
    fc.assert(
      fc.property(cuts, bufferBytes, (at, length) => {
        const ends = [...at, archive.length].sort((a, b) => a - b)
        const buffer = Buffer.alloc(length)
        const read = Buffer.alloc(archive.length, 0xa5)
        let bytes = 0
        for (const [i, to] of ends.entries())
          for (const part of tar.parts(i === 0 ? 0 : ends[i - 1]!, to, buffer)) {
            assert.ok(part.bytes.length > 0 && part.bytes.length <= length)
            read.set(part.bytes, part.offset)
            bytes += part.bytes.length
          }
        assert.equal(bytes, archive.length)
        assert.ok(read.equals(archive))
      }),
      { numRuns: 40 },
    )
  })

test('a damaged block, block table, footer: STORE_CORRUPT with the path; damage elsewhere in the index is not looked at', async t => {
  const path = join(scratch(t), 'layer')
  await writeLayer(path, archive)
  const file = await openLayerFile(path, { cache })
  const block = file.index.blocks.fileOffset(file.index.blocks.count >> 1) + 10
  await file.close()
  const whole = readFileSync(path)
  const readWith = async (offset: number) => {
    const bytes = Buffer.from(whole)
    bytes[offset]! ^= 0x10
    writeFileSync(path, bytes)
    const tar = await openLayerTar(path, cache)
    const read: Buffer[] = []
    try {
      for (const part of tar.parts(0, tar.tarBytes, Buffer.alloc(2 * blockBytes))) read.push(Buffer.from(part.bytes))
    } finally {
      tar.close()
    }
    return Buffer.concat(read)
  }
  const table = whole.indexOf(
    Buffer.from(new Uint32Array([file.tarBytes, 0]).buffer),
    file.index.blocks.fileOffset(file.index.blocks.count),
  )
  for (const offset of [block, table, whole.length - 40])
    await assert.rejects(readWith(offset), { code: 'STORE_CORRUPT', path }, `at ${offset}`)
  const name = whole.indexOf('short noise', file.index.blocks.fileOffset(file.index.blocks.count))
  assert.ok(name > 0)
  assert.ok((await readWith(name)).equals(archive))
})
