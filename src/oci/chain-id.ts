/** Identity of a stack of layers: OCI image-spec config.md, "Layer ChainID". */
import { type ChainId, type DiffId, sha256Digest } from './digest.js'

/** The chain that `diffId` on top of `parent` makes. The base's chainId is its diffId; above it, a hash of two digests and one space. */
export function chainIdOf(parent: ChainId | undefined, diffId: DiffId): ChainId {
  return (parent === undefined ? diffId : sha256Digest(`${parent} ${diffId}`)) as string as ChainId
}

/** chainIds of every stack from the base up: as long as `diffIds`, base first. */
export function chainIdsOf(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = []
  for (const diffId of diffIds) chain.push(chainIdOf(chain.at(-1), diffId))
  return chain
}
