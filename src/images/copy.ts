/**
 * The one way by which images come into a store: lease → look → write the layers that are missing → verify → publish.
 *
 * Invariants:
 * - The lease stands before the first look, and until the tag is published: a collector cannot take what was seen.
 * - Nothing is published before it is verified: layers in chain order, then image config, parent, tags. A source that can be read
 *   again publishes nothing before every layer of every image is verified; of one that comes over a network, what came stays.
 * - A layer that is there already costs nothing, and what the driver keeps once is written once.
 * - When this returns or throws, nothing of it is running.
 */

import type { Space, WritingContext } from '../disk/space.js'
import type { Stage } from '../disk/stage.js'
import { finishing, together } from '../endings.js'
import type { LayerLook, LayerStore } from '../layers/layer-store.js'
import type { LayerRecord } from '../layers/record.js'
import type { Limits } from '../limits.js'
import { type DiffId, type ImageId, isDigest, shortId } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'
import type { Pool } from '../pool/pool.js'
import { type MissingLayer, stackOf, writeLayer } from './copy-layer.js'
import type { ImageStore } from './image-store.js'
import { LayerJobs, type WrittenLayer } from './layer-jobs.js'
import { leastBytes } from './least-bytes.js'
import { type Publication, publishAll, publishLayers } from './publish-copied.js'
import type { ReferenceStore } from './reference-store.js'
import { type ImageSource, loadWords, type SourceImage, type SourceLayer } from './source.js'

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
  const work: Promise<unknown>[] = []
  const end = async () => {
    await jobs.stop()
    await Promise.allSettled(work)
  }
  try {
    const followed = followArrivals(source, to, jobs)
    const [images] = await Promise.all([op.stage('catalogue', () => source.images()), followed])
    for (const image of images) layers.assertFits(stackOf(image), `${source.name}: image ${image.imageId}`)
    await using lease = await layers.lease({ stacks: images.map(stackOf), images: images.map(i => i.imageId) })
    const { missing, unknown } = await op.stage('look', () => findMissing(images, source, to, op))
    await admit(missing, to, op)
    const written = writeLayers(missing, source, jobs, to, op)
    const publication = { images, unknown, written, lease, source, published: new Set<string>() }
    // Before the lease is given back.
    return await finishing(() => finish(publication, work, to, op), end)
  } finally {
    await end()
    op.report.bytesRead += source.bytesRead()
  }
}

/** @throws DISK_FULL */
async function admit(missing: readonly MissingLayer[], to: CopyTarget, op: WritingContext): Promise<void> {
  if (missing.length === 0) return
  const { limits, layers } = to
  const toFetch = await together(missing.flatMap(({ remote }) => (remote === undefined ? [] : [remote.missingBytes()])))
  if (toFetch.length > 0) op.report.bytesToFetch = toFetch.reduce((sum, bytes) => sum + bytes, 0)
  await op.admit(await leastBytes(missing, { driver: layers.driver, limits, fits: op.fits }))
}

/** Waits for the layers, and publishes what is verified. After a failure some of the `work` goes on. */
async function finish(
  publication: Publication,
  work: Promise<unknown>[],
  to: CopyTarget,
  op: OperationContext,
): Promise<CopiedImage[]> {
  const { images, written, source } = publication
  work.push(...written.values())
  if (source.publishesEarly) work.push(publishLayers(images, publication, to, op))
  await op.stage('layers', () => Promise.all(work))
  op.signal.throwIfAborted()
  return await op.stage('publish', () => publishAll(publication, to, op))
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

function isMissing(look: LayerLook | undefined): boolean {
  return look?.record === undefined && look?.sizeBytes === undefined
}

interface Missing {
  /** The layers whose content is not there, each content once. */
  readonly missing: readonly MissingLayer[]
  /** The images of which some layer has to be published. */
  readonly unknown: ReadonlySet<SourceImage>
}

async function findMissing(
  images: readonly SourceImage[],
  { words = loadWords }: ImageSource,
  { layers }: CopyTarget,
  op: OperationContext,
): Promise<Missing> {
  const missing = new Map<string, MissingLayer | undefined>()
  const unknown = new Set<SourceImage>()
  for (const image of images) {
    const stack = stackOf(image)
    for (const [index, look] of (await layers.look(stack)).entries()) {
      if (look.record === undefined) unknown.add(image)
      const { content } = look
      if (missing.has(content)) continue
      const layer = { ...image.layers[index]!, content, stack: stack.slice(0, index + 1) }
      missing.set(content, isMissing(look) ? layer : undefined)
      const subject = layer.subject ?? shortId(look.diffId)
      if (!isMissing(look)) op.report.bytesReused += bytesOf(layer)
      const message = isMissing(look) ? words.missing : words.there
      if (message !== undefined) op.emit({ type: 'layer', subject, message })
    }
  }
  // The largest first: what is left for the end is then small, and no core waits long for another.
  const absent = [...missing.values()].filter(layer => layer !== undefined)
  return { missing: absent.sort((a, b) => bytesOf(b) - bytesOf(a)), unknown }
}

function bytesOf({ range, stored, remote }: SourceLayer): number {
  return (range ?? stored ?? remote)?.sizeBytes ?? 0
}

/** By content; undefined for what somebody else has brought in the meantime. Failures are for whoever waits. */
function writeLayers(
  missing: readonly MissingLayer[],
  source: ImageSource,
  jobs: LayerJobs,
  { layers }: CopyTarget,
  op: OperationContext,
): Map<string, Promise<WrittenLayer | undefined>> {
  const isWanted = async ({ stack }: MissingLayer) => isMissing(await layers.lookAtTop(stack))
  const write = (layer: MissingLayer) => {
    const written = writeLayer(layer, { source, jobs, isWanted: () => isWanted(layer) }, op)
    written.catch(() => undefined)
    return written
  }
  return new Map(missing.map(layer => [layer.content, write(layer)]))
}
