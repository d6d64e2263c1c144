/** Layers gzipped by jobs on real threads: the same file whoever helps, and what becomes of helpers and failures. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { writeLayerFile } from '../../src/layerfile/writer.js'
import { defaultLimits } from '../../src/limits.js'
import type { DiffId } from '../../src/oci/digest.js'
import { LayerGzip, type TarToGzip } from '../../src/pool/layer-gzip.js'
import { Pool } from '../../src/pool/pool.js'
import { chunked } from '../build/compressed.js'
import { digestOf } from '../build/image.js'
import { watchJobs } from '../build/pool-jobs.js'
import { scratchDir } from '../build/store.js'
import { file, tar } from '../build/tar.js'

/** 6 MB, more than a ring holds, so that there is something to do for a while. */
const bytes = tar([
  ...Array.from({ length: 40 }, (_, i) => file(`text/${i}`, `${i}: all work and no play\n`.repeat(4000))),
  file('noise', randomBytes(2_000_000)),
])

async function layerOf(t: TestContext): Promise<TarToGzip & { readonly source: { readonly layerFile: string } }> {
  const layerFile = join(scratchDir(t), 'layer')
  const fd = openSync(layerFile, 'wx')
  await writeLayerFile(chunked(bytes), { fd, label: 'test', compression: 'lz4', limits: defaultLimits })
  closeSync(fd)
  return { source: { layerFile }, diffId: digestOf(bytes) as DiffId, tarBytes: bytes.length }
}

const helpers = ({ names }: { readonly names: readonly string[] }) =>
  names.filter(name => name === 'compress-blocks').length

test('the same file with any number of workers, and helpers as far as there are threads', async t => {
  const layer = await layerOf(t)
  const digests = new Set<string>()
  for (const [workers, expected] of [
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 2],
  ] as const) {
    await using pool = new Pool({ workers })
    const jobs = watchJobs(pool)
    const target = join(scratchDir(t), 'layer.gz')
    let last = 0
    const { digest, sizeBytes } = await new LayerGzip(() => pool).write(layer, target, {
      onProgress: done => (last = done),
    })
    const written = readFileSync(target)
    assert.equal(digest, `sha256:${createHash('sha256').update(written).digest('hex')}`)
    assert.equal(sizeBytes, written.length)
    assert.ok(gunzipSync(written).equals(bytes))
    assert.equal(last, bytes.length)
    assert.equal(helpers(jobs), expected)
    assert.equal(jobs.running.size, 0)
    digests.add(digest)
  }
  assert.equal(digests.size, 1)
})

test('a small layer has no helper', async t => {
  await using pool = new Pool({ workers: 2 })
  const jobs = watchJobs(pool)
  const layer = await layerOf(t)
  await new LayerGzip(() => pool).write({ ...layer, tarBytes: 1_000_000 }, join(scratchDir(t), 'layer.gz'))
  assert.equal(helpers(jobs), 0)
})

test('two layers at once, and one after them in the memory that they had', async t => {
  await using pool = new Pool({ workers: 2 })
  const gzip = new LayerGzip(() => pool)
  const layer = await layerOf(t)
  const write = () => gzip.write(layer, join(scratchDir(t), 'layer.gz'))
  const outputs = [...(await Promise.all([write(), write()])), await write()]
  assert.equal(new Set(outputs.map(({ digest }) => digest)).size, 1)
})

for (const [what, folder] of [
  ['dies with a chunk in its hands', 'dying-helper'],
  ['does nothing, and takes its time to leave', 'lingering-helper'],
] as const)
  test(`a helper that ${what}: the same file, and nobody is at work behind it`, async t => {
    await using pool = new Pool({ workers: 2, workersDir: new URL(`../store/${folder}/`, import.meta.url) })
    const jobs = watchJobs(pool)
    const layer = await layerOf(t)
    const { digest } = await new LayerGzip(() => pool).write(layer, join(scratchDir(t), 'layer.gz'))
    assert.ok(helpers(jobs) > 0)
    assert.equal(jobs.running.size, 0)
    await using alone = new Pool({ workers: 0 })
    const { digest: expected } = await new LayerGzip(() => alone).write(layer, join(scratchDir(t), 'layer.gz'))
    assert.equal(digest, expected)
  })

test('an abort midway: its reason, no job runs any more, and the file grows no more', async t => {
  await using pool = new Pool({ workers: 2 })
  const jobs = watchJobs(pool)
  const layer = await layerOf(t)
  const target = join(scratchDir(t), 'layer.gz')
  const abort = new AbortController()
  const reason = new Error('changed my mind')
  const refused = assert.rejects(
    new LayerGzip(() => pool).write(layer, target, { signal: abort.signal }),
    (error: unknown) => error === reason,
  )
  while (!(statSync(target, { throwIfNoEntry: false })?.size ?? 0)) await sleep(1)
  abort.abort(reason)
  await refused
  assert.equal(jobs.running.size, 0)
  const { size } = statSync(target)
  await sleep(50)
  assert.equal(statSync(target).size, size)
})

test('a damaged layer, and a file that cannot be made: typed errors that name the path, and no job left', async t => {
  await using pool = new Pool({ workers: 2 })
  const jobs = watchJobs(pool)
  const gzip = new LayerGzip(() => pool)
  const layer = await layerOf(t)
  const folder = scratchDir(t)
  const taken = join(folder, 'taken')
  mkdirSync(taken)
  await assert.rejects(gzip.write(layer, taken), { code: 'STORE_IO', operation: 'open', path: taken })
  const { layerFile } = layer.source
  const stored = readFileSync(layerFile)
  stored[2_000_000]! ^= 1
  writeFileSync(layerFile, stored)
  await assert.rejects(gzip.write(layer, join(folder, 'layer.gz')), { code: 'STORE_CORRUPT', path: layerFile })
  assert.equal(jobs.running.size, 0)
})
