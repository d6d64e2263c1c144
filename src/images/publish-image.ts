/**
 * An image that was made here, out of layers that are there and at most one that is new: layer → config → parent → tag.
 *
 * Invariants:
 * - A lease holds the whole stack before anybody looks whether the new layer is there, until the tag is published.
 * - Names last: whoever sees the tag sees the image, and whoever sees the image has its layers.
 */
import type { Lease } from '../disk/lease.js'
import { type DiffId, type ImageId, sha256Digest } from '../oci/digest.js'
import { familiarName, parseReference, type Reference, withDefaultTag } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { CopiedImage, CopyTarget } from './copy.js'
import { checkTaggable } from './reference-store.js'

/** What a job has made of a layer. */
export interface NewTop {
  readonly diffId: DiffId
  /** Docker's layer size, bytes. */
  readonly sizeBytes: number
  /** File or directory in the stage. */
  readonly staged: string
}

export interface NewImage {
  /** What messages call that which it was made of. */
  readonly label: string
  readonly config: Buffer
  /** diffIds, base first. Those below the new one are leased by the caller. */
  readonly stack: readonly DiffId[]
  /** The last of the stack; undefined when all of it is there. */
  readonly layer: NewTop | undefined
  /** The image it was built from; it becomes the parent if it is still there. */
  readonly parent?: ImageId | undefined
  readonly reference: Reference | undefined
  /** In messages: `Committed image ID: …`. */
  readonly done: string
}

/** The reference, tag written out, that a new image shall have. @throws REFERENCE_INVALID */
export function taggable(text: string): Reference {
  const reference = withDefaultTag(parseReference(text))
  checkTaggable(reference)
  return reference
}

export async function publishImage(image: NewImage, to: CopyTarget, op: OperationContext): Promise<CopiedImage> {
  const { label, config, stack, layer, parent, reference, done } = image
  const id = sha256Digest<ImageId>(config)
  to.layers.assertFits(stack, label)
  await using lease = await to.layers.lease({ stacks: [stack], images: [id] })
  if (layer !== undefined) await publishLayer(stack, layer, to, lease)
  const layers = await to.layers.settle(stack)
  await to.images.put(config)
  if (parent !== undefined && (await to.images.has(parent))) await to.images.setParent(id, parent)
  op.emit({ type: 'image', subject: id, message: `${done} image ID: ${id}` })
  if (reference !== undefined) await giveTag(reference, id, to, op)
  return { id, layers }
}

async function publishLayer(
  stack: readonly DiffId[],
  { diffId, sizeBytes, staged: made }: NewTop,
  { layers }: CopyTarget,
  lease: Lease,
): Promise<void> {
  const { record, parent, sizeBytes: known } = (await layers.lookAtTop(stack))!
  if (record !== undefined) return
  // The same content may be there already, under other parents.
  const staged = known === undefined ? { staged: made } : {}
  await layers.publish({ diffId, parent, sizeBytes, lease, ...staged })
}

async function giveTag(reference: Reference, id: ImageId, to: CopyTarget, op: OperationContext): Promise<void> {
  const name = familiarName(reference)
  await to.references.tag(reference, id)
  await to.images.touch(id)
  op.emit({ type: 'tag', subject: name, message: `Tagged: ${name}` })
}
