/** Damage of every kind to a layer file: a typed error or unaffected data, never other data. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openPackedLayer } from '../../src/drivers/packed/packed-layer.js'
import { PhylloError } from '../../src/errors.js'
import { BlockCache } from '../../src/layerfile/block-cache.js'
import { loadChecksums } from '../../src/layerfile/checksum.js'
import { footerBytes, requireLittleEndian } from '../../src/layerfile/format.js'
import { rebuildIndex } from '../../src/layerfile/rebuild.js'
import { defaultLimits } from '../../src/limits.js'
import { contentOf, fileOf, inodeAt, scratch, treeOf, writeLayer } from '../build/layerfile.js'
import { Random } from '../build/random-tar.js'
import * as build from '../build/tar.js'

const text = 'so we beat on, boats against the current, borne back ceaselessly into the past. '
const archive = build.tar([
  build.dir('d', { xattrs: { 'user.x': 'value' } }),
  build.file('d/text', text.repeat(500)),
  build.file(
    'noise',
    Buffer.from(Array.from({ length: 20_000 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 0xff)),
  ),
  build.symlink('l', 'd/text'),
  build.hardlink('h', 'noise'),
  build.file('.wh.gone'),
])

async function layerBytes(t: TestContext, compression: 'lz4' | 'none' = 'lz4'): Promise<Buffer> {
  const path = join(scratch(t), 'layer')
  await writeLayer(path, archive, { compression })
  return readFileSync(path)
}

/** Everything that can be read of a layer file, as text; or the code of the error. */
async function everything(path: string, cache: BlockCache): Promise<string> {
  try {
    const layer = await openPackedLayer(path, { cache })
    try {
      const attributes = Array.from({ length: layer.inodeCount }, (_, i) => [
        layer.inode(i),
        layer.xattrs(i).map(({ name, value }) => [name, value.toString('hex')]),
        contentOf(layer, i).toString('base64'),
        layer.contentSync(i, layer.tarBytes)!.toString('base64'),
      ])
      const tar = Buffer.alloc(layer.tarBytes)
      await layer.readTar(0, tar)
      return JSON.stringify([layer.diffId, treeOf(layer), attributes, tar.toString('base64')])
    } finally {
      await layer.close()
    }
  } catch (error) {
    if (!(error instanceof PhylloError)) throw error
    assert.ok(error.message.startsWith(path), error.message)
    assert.equal(error.path, path)
    return error.code
  }
}

for (const compression of ['lz4', 'none'] as const)
  test(`a flipped bit anywhere: ${compression}`, async t => {
    const bytes = await layerBytes(t, compression)
    const path = fileOf(t, bytes)
    const cache = new BlockCache(0)
    const intact = await everything(path, cache)
    const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 1e9)
    t.diagnostic(`seed ${seed}`)
    const random = new Random(seed)
    const found = new Map<string, number>()
    // Every byte of header, footer, and the tables; a sample of the rest.
    for (let at = 0; at < bytes.length; at += at < 40 || at > bytes.length - footerBytes ? 1 : 1 + random.int(150)) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 1 << random.int(8)
      writeFileSync(path, damaged)
      const seen = await everything(path, cache)
      if (seen !== intact) assert.equal(seen, 'STORE_CORRUPT', `byte ${at}`)
      found.set(seen, (found.get(seen) ?? 0) + 1)
    }
    assert.ok(found.get('STORE_CORRUPT')! > found.get(intact)!)
  })

test('a truncated file', async t => {
  const bytes = await layerBytes(t)
  const path = fileOf(t, bytes)
  const cache = new BlockCache()
  for (const length of [
    0,
    1,
    15,
    100,
    footerBytes - 1,
    footerBytes,
    bytes.length - footerBytes,
    bytes.length - 8,
    bytes.length - 1,
  ]) {
    writeFileSync(path, bytes.subarray(0, length))
    assert.equal(await everything(path, cache), 'STORE_CORRUPT', `${length} bytes`)
  }
  writeFileSync(path, Buffer.concat([bytes, Buffer.from('more')]))
  assert.equal(await everything(path, cache), 'STORE_CORRUPT')
  writeFileSync(path, Buffer.concat([bytes.subarray(0, 1000), bytes]))
  assert.equal(await everything(path, cache), 'STORE_CORRUPT')
})

test('a file that is cut while it is open', async t => {
  const bytes = await layerBytes(t)
  const path = fileOf(t, bytes)
  const layer = await openPackedLayer(path)
  t.after(() => layer.close())
  writeFileSync(path, bytes.subarray(0, 20))
  const inode = inodeAt(layer, 'noise')
  assert.throws(() => layer.readSync(inode, 0, Buffer.alloc(20_000)), { code: 'STORE_CORRUPT', path })
  await assert.rejects(layer.read(inode, 0, Buffer.alloc(20_000)), { code: 'STORE_CORRUPT', path })
  await assert.rejects(layer.read(inode, 1, Buffer.alloc(10)), { code: 'STORE_CORRUPT', path })
  await assert.rejects(layer.readTar(0, Buffer.alloc(100)), { code: 'STORE_CORRUPT', path })
})

test('a newer version is refused, and a damaged version number is damage', async t => {
  const { xxh64 } = await loadChecksums()
  const bytes = await layerBytes(t)
  const newer = Buffer.from(bytes)
  newer.writeUInt32LE(2, newer.length - 24)
  const cache = new BlockCache()
  assert.equal(await everything(fileOf(t, newer), cache), 'STORE_CORRUPT')
  const [low, high] = xxh64(newer.subarray(newer.length - footerBytes, newer.length - 8))
  newer.writeUInt32LE(low, newer.length - 8)
  newer.writeUInt32LE(high, newer.length - 4)
  assert.equal(await everything(fileOf(t, newer), cache), 'STORE_VERSION')
  await assert.rejects(openPackedLayer(fileOf(t, newer)), { code: 'STORE_VERSION', version: 2, message: /version 2/ })
})

test('a newer footer of another length is refused as newer', async t => {
  const { xxh64 } = await loadChecksums()
  const bytes = await layerBytes(t)
  const footer = Buffer.concat([bytes.subarray(-footerBytes, -24), Buffer.alloc(48), bytes.subarray(-24)])
  footer.writeUInt32LE(footer.length - 8, 4)
  footer.writeUInt32LE(7, footer.length - 24)
  footer.writeUInt32LE(footer.length, footer.length - 20)
  const [low, high] = xxh64(footer.subarray(0, -8))
  footer.writeUInt32LE(low, footer.length - 8)
  footer.writeUInt32LE(high, footer.length - 4)
  const path = fileOf(t, Buffer.concat([bytes.subarray(0, -footerBytes), footer]))
  assert.equal(await everything(path, new BlockCache()), 'STORE_VERSION')
})

test('a file that is not there', async t => {
  const path = join(scratch(t), 'nothing')
  await assert.rejects(openPackedLayer(path), { code: 'STORE_IO', operation: 'open', path })
})

test('big-endian machines are refused clearly', () => {
  assert.throws(() => requireLittleEndian('BE'), { code: 'STORE_VERSION', message: /big-endian/ })
})

test('a damaged index is rebuilt from the tar', async t => {
  for (const compression of ['lz4', 'none'] as const) {
    const bytes = await layerBytes(t, compression)
    const intact = await everything(fileOf(t, bytes), new BlockCache())
    const frameOnly = bytes.subarray(0, bytes.length - footerBytes - 200)
    const target = join(scratch(t), 'rebuilt')
    const written = await rebuildIndex(fileOf(t, frameOnly), {
      target,
      compression: 'lz4',
      limits: defaultLimits,
    })
    assert.equal(written.diffId, `sha256:${createHash('sha256').update(archive).digest('hex')}`)
    assert.equal(await everything(target, new BlockCache()), intact)
  }
})

test('a frame that is damaged as well is not rebuilt into something else', async t => {
  const bytes = await layerBytes(t)
  const options = { compression: 'lz4', limits: defaultLimits } as const
  const folder = scratch(t)
  const expected = `sha256:${createHash('sha256').update(archive).digest('hex')}`
  const end = bytes.readUInt32LE(15) // the first block's length
  for (const at of [0, 5, 8, 15, 18, 19 + 5, 15 + 4 + end]) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 0x41
    const target = join(folder, `rebuilt-${at}`)
    // Either it is noticed, or the diffId, which the caller compares, is another.
    const outcome = await rebuildIndex(fileOf(t, damaged), { target, ...options }).then(
      ({ diffId }) => diffId,
      (error: PhylloError) => error.code,
    )
    assert.notEqual(outcome, expected, `byte ${at}`)
  }
  await assert.rejects(rebuildIndex(fileOf(t, Buffer.alloc(100)), { target: join(folder, 'x'), ...options }), {
    code: 'STORE_CORRUPT',
  })
})
