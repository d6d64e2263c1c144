/** The jobs that give out the tars of unpacked layers: to their places in an archive, and gzipped. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Pool } from '../../src/index.js'
import { writeLayerFile } from '../../src/layerfile/writer.js'
import { defaultLimits } from '../../src/limits.js'
import type { DiffId } from '../../src/oci/digest.js'
import type { PlaceLayersInput } from '../../src/pool/jobs.js'
import { chunked } from '../build/compressed.js'
import { digestOf } from '../build/image.js'
import { splitFile, splitLayer } from '../build/split-layer.js'
import { scratchDir } from '../build/store.js'
import { file, tar } from '../build/tar.js'

type Placed = PlaceLayersInput['layers'][number]

const small = tar([file('small', 'one')])
const medium = tar([file('medium', randomBytes(2_500_000)), file('tail', 'x')])
const large = tar([file('large', randomBytes(5_000_000))])

async function unpacked(t: TestContext, bytes: Buffer, position: number): Promise<Placed> {
  const source = await splitLayer(scratchDir(t), bytes)
  return { source, diffId: digestOf(bytes) as DiffId, tarBytes: bytes.length, position }
}

async function packed(t: TestContext, bytes: Buffer, position: number): Promise<Placed> {
  const layerFile = join(scratchDir(t), 'layer')
  const fd = openSync(layerFile, 'wx')
  await writeLayerFile(chunked(bytes), { fd, label: 'test', compression: 'lz4', limits: defaultLimits })
  closeSync(fd)
  return { source: { layerFile }, diffId: digestOf(bytes) as DiffId, tarBytes: bytes.length, position }
}

function target(t: TestContext, bytes: number): string {
  const path = join(scratchDir(t), 'out')
  const fd = openSync(path, 'wx')
  ftruncateSync(fd, bytes)
  closeSync(fd)
  return path
}

const countsOf = (layers: readonly Placed[]) => new SharedArrayBuffer(8 * (layers.length + 1))

for (const jobs of [1, 2, 3])
  test(`layers of both kinds, placed by ${jobs} jobs: every byte once, in its place`, async t => {
    await using pool = new Pool({ workers: 2 })
    const gap = 1000
    const tars = [small, large, medium, medium]
    const position = (i: number) => tars.slice(0, i).reduce((sum, { length }) => sum + length + gap, gap)
    const layers = await Promise.all(tars.map((bytes, i) => (i === 3 ? packed : unpacked)(t, bytes, position(i))))
    const counts = countsOf(layers)
    const path = target(t, position(4))
    const input = { target: path, layers, pieceBytes: 700_000, counts }
    const done = await Promise.all(Array.from({ length: jobs }, () => pool.run('place-layers', input)))
    assert.equal(
      done.reduce((sum, { bytes }) => sum + bytes, 0),
      tars.reduce((sum, { length }) => sum + length, 0),
    )
    assert.deepEqual(
      [...new BigInt64Array(counts)].slice(0, 4).map(Number),
      tars.map(({ length }) => length),
    )
    const expected = tars.flatMap(bytes => [Buffer.alloc(gap), bytes])
    assert.ok(readFileSync(path).equals(Buffer.concat([...expected, Buffer.alloc(gap)])))
  })

test('an unpacked layer that is another one, or of another length: STORE_CORRUPT, and nothing behind its place', async t => {
  await using pool = new Pool({ workers: 1 })
  const layer = await unpacked(t, medium, 0)
  const { tarSplit } = layer.source as { tarSplit: string }
  for (const wrong of [
    { ...layer, diffId: digestOf(small) as DiffId },
    { ...layer, tarBytes: medium.length - 512 },
  ]) {
    const path = target(t, medium.length + 100)
    const layers = [wrong]
    const input = { target: path, layers, pieceBytes: 700_000, counts: countsOf(layers) }
    await assert.rejects(pool.run('place-layers', input), { code: 'STORE_CORRUPT', path: tarSplit })
    assert.ok(
      readFileSync(path)
        .subarray(wrong.tarBytes)
        .every(byte => byte === 0),
    )
  }
})

test('an unpacked layer gzipped is the same as its layer file gzipped', async t => {
  await using pool = new Pool({ workers: 1 })
  const outputs: Buffer[] = []
  for (const { source, diffId } of [await unpacked(t, medium, 0), await packed(t, medium, 0)]) {
    const path = join(scratchDir(t), 'layer.gz')
    const { digest, sizeBytes } = await pool.run('gzip-layer', { source, diffId, target: path })
    const bytes = readFileSync(path)
    assert.equal(digest, digestOf(bytes))
    assert.equal(sizeBytes, bytes.length)
    assert.ok(gunzipSync(bytes).equals(medium))
    outputs.push(bytes)
  }
  assert.ok(outputs[0]!.equals(outputs[1]!))
})

test('a damaged layer is not gzipped to its end: STORE_CORRUPT, of both kinds', async t => {
  await using pool = new Pool({ workers: 1 })
  const layer = await unpacked(t, medium, 0)
  const { source } = layer as { source: { diff: string } }
  const path = join(scratchDir(t), 'layer.gz')
  await assert.rejects(
    pool.run('gzip-layer', { source: layer.source, diffId: digestOf(small) as DiffId, target: path }),
    { code: 'STORE_CORRUPT', actual: layer.diffId },
  )
  writeFileSync(join(source.diff, 'tail'), 'y')
  await assert.rejects(pool.run('gzip-layer', { ...layer, target: join(scratchDir(t), 'layer.gz') }), {
    code: 'STORE_CORRUPT',
    entry: 'tail',
  })
  const other = await packed(t, medium, 0)
  await assert.rejects(
    pool.run('gzip-layer', { source: other.source, diffId: digestOf(small) as DiffId, target: `${path}2` }),
    { code: 'STORE_CORRUPT', actual: layer.diffId },
  )
})

test('of a layer that is not whole the damaged file is named, and where the lines are wrong, both digests', async t => {
  await using pool = new Pool({ workers: 1 })
  const place = async (layer: Placed) => {
    const layers = [layer]
    await pool.run('place-layers', {
      target: target(t, layer.tarBytes),
      layers,
      pieceBytes: 700_000,
      counts: countsOf(layers),
    })
  }
  const layer = await unpacked(t, medium, 0)
  const { diff, tarSplit } = layer.source as { diff: string; tarSplit: string }
  await place(layer)
  await splitFile(tarSplit, Buffer.concat([medium, Buffer.alloc(512)]))
  const longer = { ...layer, tarBytes: medium.length + 512 }
  await assert.rejects(place(longer), { code: 'STORE_CORRUPT', path: tarSplit, expected: layer.diffId })
  await splitFile(tarSplit, medium)
  writeFileSync(join(diff, 'tail'), 'y')
  await assert.rejects(place(layer), { code: 'STORE_CORRUPT', path: join(diff, 'tail'), entry: 'tail' })
})
