/** Layers that look unused, and which of them may go, in which order. */
import type { Footprint } from '../disk/usage.js'
import type { ChainId } from '../oci/digest.js'
import type { LayerRecord } from './record.js'

export interface Measured {
  /** If it was asked for. */
  readonly footprint?: Footprint
}

export interface Candidate extends Measured {
  readonly chainId: ChainId
  readonly record?: LayerRecord
  /** Of the content that goes with it. */
  readonly cacheId?: string
}

/** A layer that stays keeps those below it. */
export function keepParents(chainId: ChainId, records: readonly LayerRecord[], garbage: Map<ChainId, Candidate>): void {
  let parent = records.find(record => record.chainId === chainId)?.parent
  while (parent !== undefined && garbage.has(parent)) {
    const next = garbage.get(parent)?.record?.parent
    garbage.delete(parent)
    parent = next
  }
}

export function childrenFirst(garbage: ReadonlyMap<ChainId, Candidate>): Candidate[] {
  const depths = new Map<ChainId, number>()
  for (const chainId of garbage.keys()) {
    const path: ChainId[] = []
    let at: ChainId | undefined = chainId
    while (at !== undefined && !depths.has(at)) {
      path.push(at)
      at = garbage.get(at)?.record?.parent
    }
    let depth = at === undefined ? 0 : depths.get(at)!
    for (const below of path.toReversed()) depths.set(below, ++depth)
  }
  return [...garbage.values()].sort((a, b) => depths.get(b.chainId)! - depths.get(a.chainId)!)
}
