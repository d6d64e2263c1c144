/** What is done after a death: the store is opened by another process, and collected. */
import { join } from 'node:path'
import { ContainerStore } from '../../src/containers/container-store.js'
import { removalOf } from '../../src/containers/remove-image.js'
import { openRoot } from '../../src/disk/open-root.js'
import { driverOf } from '../../src/drivers/open-driver.js'
import { liveRoots } from '../../src/images/remove.js'
import type { Pool } from '../../src/pool/pool.js'
import { StoreParts } from '../../src/store-parts.js'
import type { CrashDriver } from './crash-operations.js'

export async function recover(dir: string, driver: CrashDriver, pool: Pool): Promise<void> {
  const root = await openRoot(join(dir, 'store'), { driver })
  const parts = new StoreParts(root, await driverOf(root, { compression: 'lz4' }), { pool })
  try {
    await new ContainerStore(root, parts.layers, parts.limits).tidy()
    await parts.layers.collect({ roots: liveRoots(removalOf(parts)) })
    await root.sweep()
  } finally {
    await parts.close()
  }
}
