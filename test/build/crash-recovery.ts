/** What is done after a death: the store is opened by another process, collected, and checked to the last byte. */
import assert from 'node:assert/strict'
import type { Store } from '../../src/index.js'
import type { Pool } from '../../src/pool/pool.js'
import { type CrashDriver, openStore } from './crash-operations.js'
import { diskBytes } from './naive-store.js'

export async function recover(dir: string, driver: CrashDriver, pool: Pool): Promise<void> {
  await using store = await openStore(dir, driver, { pool })
  await store.gc()
}

/** Throws AssertionError unless nothing is found, and the disk is used as we say. */
export async function assertClean(dir: string, driver: CrashDriver, pool: Pool): Promise<void> {
  await using store = await openStore(dir, driver, { pool })
  const { findings } = await store.check({ depth: 'full' })
  assert.deepEqual(
    findings.map(({ kind, path, reason }) => `${kind} ${path}: ${reason}`),
    [],
  )
  await assertUsage(store)
}

async function assertUsage(store: Store): Promise<void> {
  assert.equal((await store.diskUsage()).diskBytes, diskBytes(store.root), 'df is not what du says')
}
