/**
 * From a container's changes to an image: plan → job → layer → config → parent → tag. What `docker commit` does, without stopping
 * anybody.
 *
 * Invariants:
 * - The layer is what the container had at the moment of the snapshot: names, attributes and contents.
 * - A lease holds the layers below before anything else, and the new one before it is published, until the tag is.
 * - Names last: whoever sees the tag sees the image, and whoever sees the image has its layers.
 * - No changes, no layer: then the image has the same layers and one step of history more.
 * - When this returns or throws, no job of it is running.
 */

import type { WritingContext } from '../disk/space.js'
import type { Stage } from '../disk/stage.js'
import type { Layer } from '../drivers/layer.js'
import type { UpperSnapshot } from '../drivers/upper.js'
import type { ImageConfig } from '../oci/config.js'
import type { ImageId } from '../oci/digest.js'
import type { Reference } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { Union } from '../overlay/union/union.js'
import type { PlannedContent } from '../tar/layer-plan.js'
import { type CommitText, checkChanges, commitConfig } from './commit-config.js'
import { commitLayer, type StagedLayer } from './commit-layer.js'
import type { CopiedImage, CopyTarget } from './copy.js'
import { publishImage, taggable } from './publish-image.js'

export interface CommitOptions extends CommitText {
  /** `repository[:tag]` that the new image gets. */
  readonly tag?: string
  /** RFC 3339; default: now. */
  readonly created?: string
}

export interface CommitSource {
  readonly union: Union
  /** What is committed. The caller lets go of it afterwards. */
  readonly upper: UpperSnapshot
  /** What messages call the container. */
  readonly label: string
  /** Config of the image that the container was made from; undefined for one from scratch. */
  readonly config: ImageConfig | undefined
  /** That image, if it is known; it becomes the parent if it is still there. */
  readonly imageId: ImageId | undefined
  /** For Docker's fields of the config. */
  readonly container?: { readonly id: string; readonly image: string }
  /** Where a file of a layer below lies. */
  readonly lowerContent: (layer: Layer, inode: number) => PlannedContent
}

/**
 * Throws CHANGE_INVALID and REFERENCE_INVALID before any work is done, WHITEOUT_INVALID for names that no layer can have, what the
 * job throws, and the signal's reason.
 */
export async function commitContainer(
  source: CommitSource,
  options: CommitOptions,
  to: CopyTarget,
  stage: Stage,
  op: WritingContext,
): Promise<CopiedImage> {
  const reference = options.tag === undefined ? undefined : taggable(options.tag)
  checkChanges(source.config, options.changes)
  const below = source.config?.diffIds ?? []
  const images = source.imageId === undefined ? [] : [source.imageId]
  await using _lease = await to.layers.lease({ stacks: [below], images })
  const layer = await op.stage('layer', () => commitLayer(source, to, stage, op))
  op.signal.throwIfAborted()
  return await op.stage('publish', () => publish({ source, options, reference, layer }, to, op))
}

interface Committed {
  readonly source: CommitSource
  readonly options: CommitOptions
  readonly reference: Reference | undefined
  readonly layer: StagedLayer | undefined
}

async function publish({ source, options, reference, layer }: Committed, to: CopyTarget, op: OperationContext) {
  const { config: base, imageId: parent, container, label } = source
  const { created = new Date().toISOString() } = options
  const diffId = layer?.diffId
  const config = commitConfig({ ...options, base, diffId, created, ...(container && { container }) })
  const stack = [...(base?.diffIds ?? []), ...(diffId === undefined ? [] : [diffId])]
  return publishImage({ label, config, stack, layer, parent, reference, done: 'Committed' }, to, op)
}
