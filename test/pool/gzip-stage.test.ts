/** Gzipped layers in a stage: read while they are written, and gone with it. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { DiffId } from '../../src/oci/digest.js'
import { GzipStage, temporaryPlace } from '../../src/pool/gzip-stage.js'
import type { TarToGzip } from '../../src/pool/layer-gzip.js'
import { Pool } from '../../src/pool/pool.js'
import { digestOf, legacyArchive } from '../build/image.js'
import { bytesOf } from '../build/registry-client.js'
import { archiveFile, scratchDir, scratchStore } from '../build/store.js'
import { file, tar } from '../build/tar.js'

const layer = tar([file('random', randomBytes(2_000_000)), file('text', 'text of a layer\n'.repeat(300_000))])

async function stored(t: TestContext): Promise<TarToGzip> {
  const store = await scratchStore(t)
  await store.load(archiveFile(t, legacyArchive([{ layers: [layer], tags: ['app:v1'] }])))
  const layerFile = join(store.root, 'packed', `${digestOf(layer).slice(7)}.tar.lz4`)
  return { source: { layerFile }, diffId: digestOf(layer) as DiffId, tarBytes: layer.length }
}

function stageOf(t: TestContext, { workers = 1, signal = new AbortController().signal } = {}) {
  const pool = new Pool({ workers })
  t.after(() => pool.close())
  const folder = join(scratchDir(t), 'stage')
  const place = async () => {
    mkdirSync(folder)
    return { path: folder, dispose: async () => rmSync(folder, { recursive: true }) }
  }
  return { folder, stage: new GzipStage({ pool: () => pool, signal, place }) }
}

for (const workers of [0, 1, 2])
  test(`what is read while it is written is all of it, with ${workers} workers, from wherever it is begun`, async t => {
    const from = await stored(t)
    const { stage, folder } = stageOf(t, { workers })
    assert.equal(existsSync(folder), false, 'nothing is made before it is needed')
    const growing = stage.begin(from)
    await growing.begun()
    const [whole, rest, end] = await Promise.all([
      bytesOf(growing.read(0)),
      bytesOf(growing.read(1_000_001)),
      growing.done.then(({ sizeBytes }) => bytesOf(growing.read(sizeBytes))),
    ])
    const { digest, sizeBytes, path } = await growing.done
    assert.ok(gunzipSync(whole).equals(layer))
    assert.deepEqual([digestOf(whole), whole.length], [digest, sizeBytes])
    assert.ok(rest.equals(whole.subarray(1_000_001)))
    assert.equal(end.length, 0)
    assert.equal(growing.tarBytesAt(sizeBytes), layer.length)
    assert.equal(growing.tarBytesAt(0), 0)
    assert.ok(readFileSync(path).equals(whole))
    await growing.remove()
    assert.deepEqual(readdirSync(folder), [])
    await stage[Symbol.asyncDispose]()
    assert.equal(existsSync(folder), false)
  })

test('a job that fails ends what reads its file, and says why', async t => {
  const from = await stored(t)
  const { layerFile } = from.source as { readonly layerFile: string }
  const bytes = readFileSync(layerFile)
  bytes[1_500_000]! ^= 1
  writeFileSync(layerFile, bytes)
  const { stage, folder } = stageOf(t)
  const growing = stage.begin(from)
  await assert.rejects(bytesOf(growing.read(0)))
  await assert.rejects(growing.failure(), { code: 'STORE_CORRUPT', path: layerFile })
  await assert.rejects(growing.done, { code: 'STORE_CORRUPT' })
  await stage[Symbol.asyncDispose]()
  assert.equal(existsSync(folder), false)
})

test('an abort ends the job, and the stage waits for that', async t => {
  const from = await stored(t)
  const abort = new AbortController()
  const { stage, folder } = stageOf(t, { signal: abort.signal })
  const growing = stage.begin(from)
  const read = bytesOf(growing.read(0))
  read.catch(() => undefined)
  await growing.begun()
  const reason = new Error('enough')
  let ended: unknown
  growing.done.catch(error => (ended = error))
  abort.abort(reason)
  await stage[Symbol.asyncDispose]()
  assert.equal(ended, reason)
  await assert.rejects(read)
  assert.equal(existsSync(folder), false)
})

test('a place that cannot be made fails each layer, and not the disposal', async t => {
  const pool = new Pool({ workers: 0 })
  t.after(() => pool.close())
  const stage = new GzipStage({
    pool: () => pool,
    signal: new AbortController().signal,
    place: () => temporaryPlace('no/such/folder/'),
  })
  await assert.rejects(
    stage.layer({ source: { layerFile: '/nonexistent' }, diffId: digestOf(layer) as DiffId, tarBytes: 1 }),
    {
      code: 'ENOENT',
    },
  )
  await stage[Symbol.asyncDispose]()
})
