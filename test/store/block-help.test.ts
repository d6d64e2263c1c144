/** Loads whose blocks are compressed by several threads: when there are helpers, and what becomes of them. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool, type StoreOptions } from '../../src/index.js'
import { digestOf, layerTar, legacyArchive } from '../build/image.js'
import { type SeenJobs, watchJobs } from '../build/pool-jobs.js'
import { archiveFile, leftovers, scratchStore } from '../build/store.js'
import { file, tar } from '../build/tar.js'

/** 40 MB, so that there is something to do for a while. */
const large = tar([
  ...Array.from({ length: 350 }, (_, i) => file(`text/${i}`, `${i}: all work and no play\n`.repeat(4000))),
  file('noise', randomBytes(5_000_000)),
])
const small = layerTar({ small: 'x' })

const layerFile = (root: string) => readFileSync(join(root, 'packed', `${digestOf(large).slice(7)}.tar.lz4`))
const helpers = ({ names }: SeenJobs) => names.filter(name => name === 'compress-blocks').length

async function load(t: TestContext, pool: Pool, layers: readonly Buffer[], options: StoreOptions = {}) {
  const jobs = watchJobs(pool)
  const store = await scratchStore(t, { pool, ...options })
  await store.load(archiveFile(t, legacyArchive([{ layers }])))
  assert.equal(jobs.running.size, 0)
  return { store, jobs }
}

test('a large layer has helpers as far as there are threads, and its file is the same with any number', async t => {
  const files: Buffer[] = []
  for (const [workers, expected] of [
    [0, 0],
    [1, 0],
    [2, 1],
    [4, 2],
  ] as const) {
    await using pool = new Pool({ workers })
    const { store, jobs } = await load(t, pool, [large])
    assert.equal(helpers(jobs), expected)
    files.push(layerFile(store.root))
  }
  for (const stored of files) assert.ok(stored.equals(files[0]!))
})

test('no helpers for small layers, and none where nothing is compressed', async t => {
  await using pool = new Pool({ workers: 2 })
  const { jobs } = await load(t, pool, [small, layerTar({ a: 'b' })])
  assert.equal(helpers(jobs), 0)
  const { jobs: stored } = await load(t, pool, [large], { compression: 'none' })
  assert.equal(helpers(stored), 0)
})

test('a helper that dies: the load succeeds, and the file is the same', async t => {
  await using pool = new Pool({ workers: 2, workersDir: new URL('./dying-helper/', import.meta.url) })
  const { store, jobs } = await load(t, pool, [large])
  assert.equal(helpers(jobs), 1)
  await using alone = new Pool({ workers: 0 })
  const { store: other } = await load(t, alone, [large])
  assert.ok(layerFile(store.root).equals(layerFile(other.root)))
})

test('no helper is at work any more when a load has ended', async t => {
  await using pool = new Pool({ workers: 2, workersDir: new URL('./lingering-helper/', import.meta.url) })
  const { jobs } = await load(t, pool, [large])
  assert.equal(helpers(jobs), 1)
})

test('two loads at once on one pool, one of them from a stream', async t => {
  await using pool = new Pool({ workers: 2 })
  const jobs = watchJobs(pool)
  const archive = archiveFile(t, legacyArchive([{ layers: [large, small] }]))
  const [one, other] = [await scratchStore(t, { pool }), await scratchStore(t, { pool })]
  await Promise.all([one.load(createReadStream(archive)), other.load(archive)])
  assert.equal(jobs.running.size, 0)
  assert.ok(layerFile(one.root).equals(layerFile(other.root)))
})

test('an abort while blocks are compressed: its reason, and no job runs any more', async t => {
  await using pool = new Pool({ workers: 2 })
  const archive = archiveFile(t, legacyArchive([{ layers: [large] }]))
  const jobs = watchJobs(pool)
  let aborted = 0
  for (let attempt = 0; attempt < 4; attempt++) {
    const store = await scratchStore(t, { pool })
    const abort = new AbortController()
    const reason = new Error('changed my mind')
    const outcome = store.load(archive, { signal: abort.signal }).then(
      () => undefined,
      error => error,
    )
    await sleep(100 + 70 * attempt)
    abort.abort(reason)
    const error = await outcome
    assert.equal(jobs.running.size, 0)
    if (error === undefined) continue
    assert.equal(error, reason)
    assert.deepEqual(leftovers(store.root), [])
    aborted++
  }
  assert.ok(aborted > 0, 'every load was done before it was aborted')
})
