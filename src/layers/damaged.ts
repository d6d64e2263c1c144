/**
 * What damaged records call their contents. Nobody else can say whose those are, so they go with the record: but only if nobody else
 * calls them theirs, no other record, no container, nobody at work, and if nothing stands on them.
 */
import type { Root } from '../disk/root.js'
import type { Driver } from '../drivers/driver.js'
import type { ChainId } from '../oci/digest.js'
import { cacheIdOfDamaged } from './record.js'

export interface DamagedParts {
  readonly root: Root
  readonly driver: Driver
  /** cache-ids of all records that can be read. */
  readonly known: ReadonlySet<string>
  /** Whether what stands on these is going away with them. */
  readonly childrenGo: boolean
}

/** By chain; what is not in the answer stays where it is. */
export async function unclaimedContents(
  damaged: readonly ChainId[],
  { root, driver, known, childrenGo }: DamagedParts,
): Promise<Map<ChainId, string>> {
  const unclaimed = new Map<ChainId, string>()
  for (const chainId of damaged) {
    const cacheId = await cacheIdOfDamaged(root, chainId)
    if (cacheId !== undefined) unclaimed.set(chainId, cacheId)
  }
  if (unclaimed.size === 0) return unclaimed
  const named = [...unclaimed.values()]
  const free = new Set(await driver.foreign(known))
  const pinned = await driver.pinned(new Set(childrenGo ? [...known, ...named] : named))
  for (const [chainId, cacheId] of unclaimed) if (!free.has(cacheId) || pinned.has(cacheId)) unclaimed.delete(chainId)
  return unclaimed
}
