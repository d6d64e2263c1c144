/**
 * The one way by which images come into a store: lease → look → write the layers that are missing → verify → publish.
 *
 * Invariants:
 * - The lease stands before the first look, and until the tag is published: a collector cannot take what was seen.
 * - Nothing is published before every layer of every image of the source is verified. Then: layers in chain order,
 *   image config, parent, tags.
 * - A layer that is there already costs nothing, and what the driver keeps once is written once.
 * - When this returns or throws, no job of it is running.
 */
import type { Lease } from '../disk/lease.js'
import type { Space, WritingContext } from '../disk/space.js'
import type { Stage } from '../disk/stage.js'
import { PhylloError, withFacts } from '../errors.js'
import type { LayerLook, LayerStore } from '../layers/layer-store.js'
import type { LayerRecord } from '../layers/record.js'
import type { Limits } from '../limits.js'
import { type DiffId, type ImageId, isDigest, shortId } from '../oci/digest.js'
import { familiarName } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { LayerInput, TarSource } from '../pool/jobs.js'
import type { Pool } from '../pool/pool.js'
import type { ImageStore } from './image-store.js'
import { LayerJobs, type WrittenLayer } from './layer-jobs.js'
import { leastBytes } from './least-bytes.js'
import type { ReferenceStore } from './reference-store.js'
import type { ImageSource, SourceImage, SourceLayer } from './source.js'

export interface CopyTarget {
  readonly layers: LayerStore
  readonly images: ImageStore
  readonly references: ReferenceStore
  readonly pool: Pool
  readonly limits: Limits
  /** On the disk of the store. */
  readonly space: Space
}

export interface CopiedImage {
  readonly id: ImageId
  /** Base first. */
  readonly layers: readonly LayerRecord[]
}

/** Brings every image of the source into the store; the answer is in the source's order. */
export async function copyIntoStore(
  source: ImageSource,
  to: CopyTarget,
  stage: Stage,
  op: WritingContext,
): Promise<CopiedImage[]> {
  const { layers, pool, limits } = to
  const contents = layers.driver.jobs({ pool, limits })
  const jobs = new LayerJobs({ contents, stage, archive: source.name }, op)
  try {
    const followed = followArrivals(source, to, jobs)
    const [images] = await Promise.all([op.stage('catalogue', () => source.images()), followed])
    for (const image of images) layers.assertFits(stackOf(image), `${source.name}: image ${image.imageId}`)
    await using lease = await layers.lease({ stacks: images.map(stackOf), images: images.map(i => i.imageId) })
    const { missing, unknown } = await op.stage('look', () => findMissing(images, to, op))
    if (missing.length > 0) await op.admit(await leastBytes(missing, { driver: layers.driver, limits, fits: op.fits }))
    const written = await op.stage('layers', () => writeLayers(missing, source.name, jobs, op))
    op.signal.throwIfAborted()
    return await op.stage('publish', () => publishAll({ images, unknown, written, lease }, to, op))
  } finally {
    await jobs.stop()
    op.report.bytesRead += source.bytesRead()
  }
}

/** Starts a job on whatever looks like a layer while a stream is still arriving, unless its name says that it is there. */
async function followArrivals(source: ImageSource, { layers }: CopyTarget, jobs: LayerJobs): Promise<void> {
  if (source.arriving === undefined) return
  for await (const range of source.arriving()) {
    const named = `sha256:${range.member.slice(range.member.lastIndexOf('/') + 1)}`
    // Only to spare the work: whether the layer is there is asked again under the lease.
    if (isDigest(named) && !isMissing((await jobs.find(() => layers.look([named as DiffId])))[0])) continue
    void jobs.write({ source: range, member: range.member, subject: range.member })
  }
}

function stackOf(image: SourceImage): DiffId[] {
  return image.layers.map(({ diffId }) => diffId)
}

function isMissing(look: LayerLook | undefined): boolean {
  return look?.record === undefined && look?.sizeBytes === undefined
}

interface MissingLayer extends SourceLayer {
  /** See LayerLook. */
  readonly content: string
}

interface Missing {
  /** The layers whose content is not there, each content once. */
  readonly missing: readonly MissingLayer[]
  /** The images of which some layer has to be published. */
  readonly unknown: ReadonlySet<SourceImage>
}

async function findMissing(
  images: readonly SourceImage[],
  { layers }: CopyTarget,
  op: OperationContext,
): Promise<Missing> {
  const missing = new Map<string, MissingLayer | undefined>()
  const unknown = new Set<SourceImage>()
  for (const image of images) {
    for (const [index, look] of (await layers.look(stackOf(image))).entries()) {
      if (look.record === undefined) unknown.add(image)
      const { content } = look
      if (missing.has(content)) continue
      const layer = { ...image.layers[index]!, content }
      missing.set(content, isMissing(look) ? layer : undefined)
      if (isMissing(look)) continue
      op.report.bytesReused += bytesOf(layer)
      op.emit({ type: 'layer', subject: shortId(look.diffId), message: 'Layer already exists' })
    }
  }
  // The largest first: what is left for the end is then small, and no core waits long for another.
  const absent = [...missing.values()].filter(layer => layer !== undefined)
  return { missing: absent.sort((a, b) => bytesOf(b) - bytesOf(a)), unknown }
}

function bytesOf({ range, stored }: SourceLayer): number {
  return (range ?? stored)?.sizeBytes ?? 0
}

async function writeLayers(
  missing: readonly MissingLayer[],
  archive: string,
  jobs: LayerJobs,
  op: OperationContext,
): Promise<Map<string, WrittenLayer>> {
  const written = missing.map(async (layer): Promise<[string, WrittenLayer]> => {
    const { member, content } = layer
    try {
      return [content, await writeLayer(layer, jobs, op)]
    } catch (error) {
      throw withFacts(error, { path: archive, member }, `${archive}: ${member}`)
    }
  })
  return new Map(await Promise.all(written))
}

async function inputOf({ range, stored, diffId }: SourceLayer): Promise<LayerInput> {
  const input = range ?? (await stored?.tar())
  if (input !== undefined) return input
  throw new PhylloError('ARCHIVE_INVALID', 'the archive does not hold this layer, and neither does the store', {
    diffId,
  })
}

async function writeLayer(layer: MissingLayer, jobs: LayerJobs, op: OperationContext): Promise<WrittenLayer> {
  const { member, diffId, digest, content } = layer
  const subject = shortId(diffId)
  const source = await jobs.find(() => inputOf(layer))
  const output = await jobs.write({ source, member, subject, content, ...(digest && { digest }) })
  verify(layer, source, output)
  for (const message of output.warnings) op.emit({ type: 'warning', subject, message })
  op.report.bytesWritten += output.fileBytes
  op.emit({ type: 'layer', subject, message: 'Loaded layer' })
  return output
}

/** A job that was started on an arriving stream did not know what to expect. */
function verify({ diffId, digest }: SourceLayer, source: LayerInput, output: WrittenLayer): void {
  if (digest !== undefined && output.digest !== digest) {
    const facts = { expected: digest, actual: output.digest }
    throw new PhylloError('DIGEST_MISMATCH', `hashes to ${output.digest}, not to ${digest}`, facts)
  }
  if (output.diffId !== diffId) {
    const facts = { expected: diffId, actual: output.diffId }
    if ('tar' in source) throw damaged(source.tar, facts)
    throw new PhylloError('DIFF_ID_MISMATCH', `invalid diffID: expected ${diffId}, got ${output.diffId}`, facts)
  }
}

function damaged(tar: TarSource, facts: { readonly expected: string; readonly actual: string }): PhylloError {
  const path = 'layerFile' in tar ? tar.layerFile : tar.tarSplit
  return new PhylloError('STORE_CORRUPT', `${path}: holds ${facts.actual}, not ${facts.expected}`, { path, ...facts })
}

interface Verified {
  readonly images: readonly SourceImage[]
  /** Of these not every layer was there at the look: the lease keeps what was. */
  readonly unknown: ReadonlySet<SourceImage>
  /** By content. */
  readonly written: ReadonlyMap<string, WrittenLayer>
  /** Covers all of it since before the look. */
  readonly lease: Lease
}

async function publishAll(verified: Verified, to: CopyTarget, op: OperationContext): Promise<CopiedImage[]> {
  const unpublished = new Map(verified.written)
  const copied: CopiedImage[] = []
  for (const image of verified.images) {
    if (verified.unknown.has(image)) await publishLayers(image, unpublished, verified, to)
    const layers = await to.layers.settle(stackOf(image))
    await to.images.put(image.config)
    copied.push({ id: image.imageId, layers })
    op.emit({ type: 'image', subject: image.imageId, message: `Loaded image ID: ${image.imageId}` })
  }
  for (const image of verified.images) {
    if (image.parent !== undefined) await to.images.setParent(image.imageId, image.parent)
    for (const reference of image.references) await giveTag(reference, image.imageId, to, op)
  }
  return copied
}

async function publishLayers(
  image: SourceImage,
  unpublished: Map<string, WrittenLayer>,
  { written, lease }: Verified,
  { layers }: CopyTarget,
): Promise<void> {
  for (const { diffId, parent, record, sizeBytes, content } of await layers.look(stackOf(image))) {
    if (record !== undefined) continue
    const staged = unpublished.get(content)?.staged
    unpublished.delete(content)
    const size = written.get(content)?.sizeBytes ?? sizeBytes
    // Looked at under the lease and there; so somebody took it from outside.
    if (size === undefined)
      throw new PhylloError('STORE_CORRUPT', `the content of layer ${diffId} went away`, { diffId })
    await layers.publish({ diffId, parent, sizeBytes: size, lease, ...(staged && { staged }) })
  }
}

async function giveTag(
  reference: SourceImage['references'][number],
  imageId: ImageId,
  { references }: CopyTarget,
  op: OperationContext,
): Promise<void> {
  const name = familiarName(reference)
  const before = await references.tag(reference, imageId)
  if (before !== undefined && before !== imageId) {
    const message = `The image ${name} already exists, renaming the old one with ID ${before} to empty string`
    op.emit({ type: 'warning', subject: name, message })
  }
  op.emit({ type: 'tag', subject: name, message: `Loaded image: ${name}` })
}
