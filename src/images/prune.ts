/**
 * Removing every image that is unused: docker image prune, rule for rule (daemon/images/image_prune.go; facts: docker-store 9.7).
 *
 * Unused is one without a name that nothing is built on; with `all`, every one that no container is made of. Whatever is in use
 * stays, and nobody is told.
 *
 * Invariant: that an image is unused is decided under the root lock, on what is there at that moment: one that gets a name meanwhile
 * stays.
 */
import type { ImageConfig } from '../oci/config.js'
import type { OperationContext } from '../operation.js'
import { danglingOf, hasLabels, parseFilters } from './filter.js'
import type { ImageUse } from './removal-conflict.js'
import { Removal, type Removed, type RemoveParts } from './remove.js'
import { untilSeconds } from './until.js'

export interface PruneOptions {
  /** Also images with a name. */
  readonly all?: boolean
  /** `name=value` words of `docker image prune --filter`: dangling, label, label!, until. */
  readonly filters?: readonly string[]
  /** Ends it between two images. */
  readonly signal?: AbortSignal
}

export interface PruneReport {
  /** What went, in the order in which it did. */
  readonly removed: readonly Removed[]
  /** Sum of the sizes of the layers among it, as Docker counts them. */
  readonly reclaimedBytes: number
}

const filterNames = ['dangling', 'label', 'label!', 'until'] as const

/** @throws TypeError for filters that are none */
export async function pruneImages(
  { all = false, filters = [] }: PruneOptions,
  parts: RemoveParts,
  op: OperationContext,
): Promise<PruneReport> {
  const isWanted = wantedBy(filters, all)
  await parts.root.assertAlone()
  const removal = new Removal(parts)
  try {
    await removal.unwanted(await parts.images.list(), ({ config }, use) => !isWanted(config, use), op.signal)
  } finally {
    await removal.collectLayers(op)
  }
  op.signal.throwIfAborted()
  return { removed: removal.removed(), reclaimedBytes: removal.reclaimedBytes }
}

function wantedBy(words: readonly string[], all: boolean): (config: ImageConfig, use: ImageUse) => boolean {
  const { dangling = [], label = [], 'label!': unlike = [], until = [] } = parseFilters(words, filterNames)
  if (until.length > 1) throw new TypeError('more than one until filter specified')
  const before = until[0] === undefined ? undefined : untilSeconds(until[0]) * 1000
  const danglingOnly = !all && dangling.every(value => danglingOf([value]))
  return (config, { references, children, leased }) => {
    // Somebody loads it again, tags it or makes something of it.
    if (leased) return true
    const tagged = references.some(({ digest }) => digest === undefined)
    if (danglingOnly ? tagged || children : references.length === 0 && children) return true
    // One without a date is not known to be older than anything.
    if (before !== undefined && !(Date.parse(config.created ?? '') <= before)) return true
    return !hasLabels(config, label) || (unlike.length > 0 && hasLabels(config, unlike))
  }
}
