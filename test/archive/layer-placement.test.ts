/** Layers that jobs copy into the archive: the same bytes as from one hand, or no file at all. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { layerPlacement } from '../../src/archive/layer-placement.js'
import { Pool, type Store } from '../../src/index.js'
import { digestOf, legacyArchive } from '../build/image.js'
import { watchJobs } from '../build/pool-jobs.js'
import { archiveFile, scratchDir, scratchStore } from '../build/store.js'
import { tarLayer } from '../build/stored-image.js'
import { file, tar } from '../build/tar.js'

/** Several pieces each, and together more than is written without a thread. */
const layers = [
  tar([file('noise', randomBytes(19_000_000)), file('tail', 'z'.repeat(1_000_000))]),
  tar([file('small', 'one')]),
  tar([file('text', 'all work and no play makes Jack a dull boy\n'.repeat(500_000))]),
]

/** An operation that nobody watches and nobody aborts. */
const operation = { signal: new AbortController().signal, emit: () => undefined, report: {}, stage: undefined } as never

async function storeWith(t: TestContext, workers: number): Promise<{ store: Store; pool: Pool }> {
  const pool = new Pool({ workers })
  t.after(() => pool.close())
  const store = await scratchStore(t, { pool })
  await store.load(archiveFile(t, legacyArchive([{ layers, tags: ['big:1'] }]), 'big.tar'))
  return { store, pool }
}

test('to a file by jobs, by this thread, and to a stream: the same bytes', async t => {
  const out = join(scratchDir(t), 'out.tar')
  const { store, pool } = await storeWith(t, 2)
  const jobs = watchJobs(pool)
  const save = store.save('big:1', out)
  const last = new Map<string, string>()
  for await (const event of save)
    if (event.type === 'progress') last.set(event.subject, `${event.done} of ${event.total}`)
  await save
  const saved = await readFile(out)
  // Two of them have nothing to do: threads start while the archive is laid out.
  assert.deepEqual(jobs.names, Array(4).fill('place-layers'))
  assert.equal(save.report.bytesWritten, saved.length)
  assert.deepEqual(
    last,
    new Map(layers.map(layer => [digestOf(layer).slice(7, 19), `${layer.length} of ${layer.length}`])),
  )
  const stream = new PassThrough()
  const [streamed] = await Promise.all([buffer(stream), store.save('big:1', stream)])
  assert.equal(digestOf(Buffer.from(streamed)), digestOf(saved))
  const { store: threadless } = await storeWith(t, 0)
  await threadless.save('big:1', out)
  assert.equal(digestOf(await readFile(out)), digestOf(saved))
})

test('a damaged block: STORE_CORRUPT, every job ended, no file, and what was there before as it was', async t => {
  const { store, pool } = await storeWith(t, 2)
  const jobs = watchJobs(pool)
  const stored = join(store.root, 'packed', `${digestOf(layers[0]!).slice(7)}.tar.lz4`)
  const bytes = readFileSync(stored)
  bytes[5_000_000]! ^= 1
  writeFileSync(stored, bytes)
  const folder = scratchDir(t)
  const out = join(folder, 'out.tar')
  writeFileSync(out, 'before')
  await assert.rejects(Promise.resolve(store.save('big:1', out)), { code: 'STORE_CORRUPT', path: stored })
  assert.equal(jobs.running.size, 0)
  assert.deepEqual(readdirSync(folder), ['out.tar'])
  assert.equal(readFileSync(out, 'utf8'), 'before')
})

test('an abort: its reason, every job ended, no file', async t => {
  const { store, pool } = await storeWith(t, 2)
  const jobs = watchJobs(pool)
  let aborted = 0
  for (const delayMs of [20, 80, 140]) {
    const folder = scratchDir(t)
    const abort = new AbortController()
    const reason = new Error('changed my mind')
    const save = store.save('big:1', join(folder, 'out.tar'), { signal: abort.signal })
    setTimeout(() => abort.abort(reason), delayMs)
    const outcome = await save.then(
      () => undefined,
      error => error,
    )
    assert.equal(jobs.running.size, 0)
    if (outcome === undefined) break
    assert.equal(outcome, reason)
    assert.deepEqual(readdirSync(folder), [])
    aborted++
  }
  assert.ok(aborted > 0, 'every save was done before it was aborted')
})

test('a target that cannot be written is told by the name that the user knows', async t => {
  const { pool } = await storeWith(t, 2)
  const place = layerPlacement({ operation, pool: () => pool })
  const contents = layers.map(bytes => {
    const layer = tarLayer(bytes)
    return { position: 0, content: { sizeBytes: bytes.length, subject: 'x', layer, read: layer.readTar } }
  })
  const writtenAs = join(scratchDir(t), 'none', 'part')
  await assert.rejects(place({ writtenAs, path: '/the/name.tar' }, contents), {
    code: 'OUTPUT_IO',
    path: '/the/name.tar',
    message: /ENOENT/,
  })
  assert.equal(existsSync(writtenAs), false)
})

test('a layer file of another layer, or of another length, is STORE_CORRUPT', async t => {
  const { store, pool } = await storeWith(t, 2)
  const other = join(store.root, 'packed', `${digestOf(layers[0]!).slice(7)}.tar.lz4`)
  const place = layerPlacement({ operation, pool: () => pool })
  const writtenAs = join(scratchDir(t), 'part')
  writeFileSync(writtenAs, '')
  const placeTwice = async (bytes: Buffer, sizeBytes: number) => {
    const layer = { ...tarLayer(bytes), source: { layerFile: other } }
    const content = { sizeBytes, subject: 'x', layer, read: layer.readTar }
    // Twice, so that it is worth a job.
    await place({ writtenAs, path: writtenAs }, [
      { position: 0, content },
      { position: sizeBytes, content },
    ])
  }
  const error = { code: 'STORE_CORRUPT', path: other }
  await assert.rejects(placeTwice(layers[2]!, layers[0]!.length), error)
  await assert.rejects(placeTwice(layers[0]!, layers[0]!.length + 1), error)
  await placeTwice(layers[0]!, layers[0]!.length)
  assert.equal(digestOf(readFileSync(writtenAs)), digestOf(Buffer.concat([layers[0]!, layers[0]!])))
})
