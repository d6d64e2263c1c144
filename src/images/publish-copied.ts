/**
 * What a copy has written gets its names: layers in chain order, then the image's config, its parent, its references.
 *
 * Invariant: the lease covers all of it since before anybody looked what is there.
 */
import type { Lease } from '../disk/lease.js'
import { PhylloError } from '../errors.js'
import type { LayerLook } from '../layers/layer-store.js'
import { shortId } from '../oci/digest.js'
import { familiarName, type Reference } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { CopiedImage, CopyTarget } from './copy.js'
import { stackOf } from './copy-layer.js'
import type { WrittenLayer } from './layer-jobs.js'
import { type ImageSource, loadWords, type SourceImage } from './source.js'

export interface Publication {
  readonly images: readonly SourceImage[]
  /** Of these not every layer was there at the look: the lease keeps what was. */
  readonly unknown: ReadonlySet<SourceImage>
  /** By content; undefined for what somebody else has brought in the meantime. */
  readonly written: ReadonlyMap<string, Promise<WrittenLayer | undefined>>
  /** Contents that have left the stage. */
  readonly published: Set<string>
  readonly lease: Lease
  readonly source: ImageSource
}

export async function publishAll(
  publication: Publication,
  to: CopyTarget,
  op: OperationContext,
): Promise<CopiedImage[]> {
  const { images, source } = publication
  const { image: said } = source.words ?? loadWords
  const copied: CopiedImage[] = []
  for (const image of images) {
    if (!source.publishesEarly) await publishLayers([image], publication, to, op)
    const layers = await to.layers.settle(stackOf(image))
    await to.images.put(image.config)
    copied.push({ id: image.imageId, layers })
    op.emit({ type: 'image', subject: image.imageId, message: `${said}${image.imageId}` })
  }
  for (const image of images) {
    if (image.parent !== undefined) await to.images.setParent(image.imageId, image.parent)
    for (const reference of image.references) await giveName(reference, image, source, to, op)
  }
  return copied
}

/** Each as soon as it is written and its parents are there. */
export async function publishLayers(
  images: readonly SourceImage[],
  publication: Publication,
  to: CopyTarget,
  op: OperationContext,
): Promise<void> {
  const { unknown, written, source } = publication
  for (const image of images) {
    if (!unknown.has(image)) continue
    const stack = stackOf(image)
    for (const [index, before] of (await to.layers.look(stack)).entries()) {
      const output = await written.get(before.content)
      if (source.publishesEarly) op.signal.throwIfAborted()
      const look = source.publishesEarly ? (await to.layers.lookAtTop(stack.slice(0, index + 1)))! : before
      await publishLayer(look, output, publication, to)
      if (!source.publishesEarly || !written.has(before.content)) continue
      const { subject = shortId(before.diffId), remote } = image.layers[index]!
      await remote?.published()
      op.emit({ type: 'layer', subject, message: (source.words ?? loadWords).written })
    }
  }
}

async function publishLayer(
  { diffId, parent, record, sizeBytes, content }: LayerLook,
  output: WrittenLayer | undefined,
  { lease, published }: Publication,
  { layers }: CopyTarget,
): Promise<void> {
  if (record !== undefined) return
  const staged = published.has(content) ? undefined : output?.staged
  published.add(content)
  const size = output?.sizeBytes ?? sizeBytes
  // Looked at under the lease and there; so somebody took it from outside.
  if (size === undefined) throw new PhylloError('STORE_CORRUPT', `the content of layer ${diffId} went away`, { diffId })
  await layers.publish({ diffId, parent, sizeBytes: size, lease, ...(staged && { staged }) })
}

async function giveName(
  reference: Reference,
  { imageId, references: all }: SourceImage,
  { words = loadWords }: ImageSource,
  { references }: CopyTarget,
  op: OperationContext,
): Promise<void> {
  // Its one name has to be its.
  if (reference.digest !== undefined) return references.pin(reference, imageId, { take: all.length === 1 })
  const name = familiarName(reference)
  const before = await references.tag(reference, imageId)
  if (words.taken && before !== undefined && before !== imageId) {
    const message = `The image ${name} already exists, renaming the old one with ID ${before} to empty string`
    op.emit({ type: 'warning', subject: name, message })
  }
  op.emit({ type: 'tag', subject: name, message: `${words.tag}${name}` })
}
