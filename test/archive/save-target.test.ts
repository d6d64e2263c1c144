/** OCI archives: the same bytes with any number of threads, and nothing left of what they were made of. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Pool, type Store } from '../../src/index.js'
import { digestOf, layerTar, legacyArchive } from '../build/image.js'
import { archiveFile, scratchDir, scratchStore } from '../build/store.js'
import { file, tar } from '../build/tar.js'

const layers = [
  tar([
    file('text', 'all work and no play makes Jack a dull boy\n'.repeat(100_000)),
    file('x', randomBytes(1_000_000)),
  ]),
  layerTar({ small: 'one' }),
]

/** However it ends, nothing is left in the system's temporary directory. */
async function saved(t: TestContext, store: Store, out: string): Promise<void> {
  const folder = scratchDir(t)
  const before = process.env.TMPDIR
  process.env.TMPDIR = folder
  try {
    await store.save('app:v1', out, { format: 'oci-archive' })
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
    assert.deepEqual(readdirSync(folder), [])
  }
}

async function storeWith(t: TestContext, workers: number) {
  const pool = new Pool({ workers })
  t.after(() => pool.close())
  const store = await scratchStore(t, { pool })
  await store.load(archiveFile(t, legacyArchive([{ layers, tags: ['app:v1'] }])))
  return store
}

test('an OCI archive is the same with 0, 1 and 2 workers', async t => {
  const folder = scratchDir(t)
  const digests = new Set<string>()
  for (const workers of [0, 1, 2]) {
    const store = await storeWith(t, workers)
    const out = join(folder, `${workers}.tar`)
    await saved(t, store, out)
    digests.add(digestOf(readFileSync(out)))
  }
  assert.equal(digests.size, 1)
})

test('a damaged layer: STORE_CORRUPT, no archive, and nothing left of the other layer', async t => {
  const store = await storeWith(t, 2)
  const stored = join(store.root, 'packed', `${digestOf(layers[0]!).slice(7)}.tar.lz4`)
  const bytes = readFileSync(stored)
  bytes[500_000]! ^= 1
  writeFileSync(stored, bytes)
  const folder = scratchDir(t)
  await assert.rejects(saved(t, store, join(folder, 'out.tar')), { code: 'STORE_CORRUPT', path: stored })
  assert.deepEqual(readdirSync(folder), [])
})
