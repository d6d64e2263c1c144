/** What becomes of the jobs of a load that does not come to its end. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from '../../src/index.js'
import { layerTar, legacyArchive } from '../build/image.js'
import { watchJobs } from '../build/pool-jobs.js'
import { archiveFile, leftovers, scratchStore } from '../build/store.js'

const workersDir = new URL('./workers/', import.meta.url)
const endless = layerTar({ large: 'x'.repeat(100_000) })
const failing = layerTar({ small: 'x' })

const stagedLayers = (root: string) =>
  readdirSync(join(root, 'phyllo/stages'), { recursive: true }).filter(name => /layer-\d+$/.test(`${name}`)).length

async function until(what: string, happened: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    if (happened()) return
    await sleep(5)
  }
  assert.fail(`${what} did not happen`)
}

test('when one layer fails, the load rejects, and the jobs of the others are gone by then', async t => {
  await using pool = new Pool({ workers: 2, workersDir })
  const jobs = watchJobs(pool)
  const store = await scratchStore(t, { pool })
  const load = store.load(archiveFile(t, legacyArchive([{ layers: [endless, failing] }])))
  await assert.rejects(Promise.resolve(load), { code: 'TAR_INVALID' })
  assert.equal(jobs.running.size, 0)
  assert.deepEqual(leftovers(store.root), [])
})

test('an abort ends jobs that would never end by themselves', async t => {
  await using pool = new Pool({ workers: 2, workersDir })
  const jobs = watchJobs(pool)
  const store = await scratchStore(t, { pool })
  const abort = new AbortController()
  const load = store.load(archiveFile(t, legacyArchive([{ layers: [endless] }])), { signal: abort.signal })
  let outcome: unknown
  void load.then(
    () => (outcome = 'loaded'),
    error => (outcome = error),
  )
  await until('the job', () => stagedLayers(store.root) > 0)
  const reason = new Error('enough')
  abort.abort(reason)
  await until('the rejection', () => outcome !== undefined)
  assert.equal(outcome, reason)
  assert.equal(jobs.running.size, 0)
  assert.deepEqual(leftovers(store.root), [])
})
