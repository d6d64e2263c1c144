/**
 * Push: images of a store into the repository of a registry that their names say.
 *
 * Invariants:
 * - The one way out of a store is used, so that layers are leased and open until the registry has them.
 * - A store that may only be read is pushed from, too: then nothing is noted, and what is compressed stands in the system's temporary
 *   directory instead of a stage.
 * - However it ends, no upload, job or stage is left.
 */
import { setMaxListeners } from 'node:events'
import type { Root } from '../disk/root.js'
import type { Space, WritingContext } from '../disk/space.js'
import { finishing } from '../endings.js'
import { PhylloError, withFacts } from '../errors.js'
import { type SaveSource, saveImages } from '../images/save.js'
import type { BlobNotes } from '../layers/blob-notes.js'
import type { Limits } from '../limits.js'
import type { ImageId } from '../oci/digest.js'
import {
  canonicalName,
  canonicalRepository,
  familiarName,
  familiarRepository,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../oci/reference.js'
import type { ManifestFormat, WrittenManifest } from '../oci/write-manifest.js'
import type { OperationContext } from '../operation.js'
import { GzipStage, temporaryPlace } from '../pool/gzip-stage.js'
import type { Pool } from '../pool/pool.js'
import type { RegistryClient } from '../registry/client.js'
import { keptDocument } from './kept-blobs.js'
import type { ManifestSource } from './push-manifest.js'
import { PushNotes } from './push-notes.js'
import { type Pushed, PushTarget } from './push-target.js'

export type { Pushed } from './push-target.js'

export interface PushOptions {
  readonly signal?: AbortSignal
  /**
   * Of the manifest: Docker's schema 2, or OCI's. Default: the one that the image came with, if that is kept and fits; else Docker's,
   * or OCI's for layers of zstd, which have no type in Docker's.
   */
  readonly format?: ManifestFormat
  /** Layers that are sent at once, as in daemon.json. Default 5. */
  readonly maxConcurrentUploads?: number
}

/** What push needs of a store. */
export interface PushParts extends SaveSource {
  readonly root: Root
  readonly space: Space
  readonly blobNotes: BlobNotes
  readonly limits: Limits
  readonly pool: () => Pool
  registries(): Promise<RegistryClient>
}

type PushWays = Omit<PushOptions, 'signal'>

const uploadsMost = 1000

/** Pushes one tag: `latest` if none is named. @throws as Store.push says */
export async function pushImage(
  name: string,
  options: PushWays,
  parts: PushParts,
  op: OperationContext,
): Promise<Pushed> {
  const reference = withDefaultTag(pushable(name))
  const pushed = await push(reference, options, parts, op, async () => {
    if ((await parts.references.get(reference)) !== undefined) return [reference]
    const familiar = familiarName(reference)
    const others = await tagsOf(reference, parts)
    // Docker's two ways of saying so.
    const message =
      others.length === 0
        ? `An image does not exist locally with the tag: ${familiarRepository(reference)}`
        : `tag does not exist: ${familiar}`
    throw new PhylloError('IMAGE_NOT_FOUND', message, { reference: familiar })
  })
  return pushed[0]!
}

/** Pushes every tag of a repository. @throws as Store.pushAll says */
export async function pushRepository(
  name: string,
  options: PushWays,
  parts: PushParts,
  op: OperationContext,
): Promise<readonly Pushed[]> {
  const reference = pushable(name)
  const familiar = familiarRepository(reference)
  if (reference.tag !== undefined)
    throw new PhylloError('REFERENCE_INVALID', `${name}: a tag cannot be used with all tags`, { reference: name })
  return push(reference, options, parts, op, async () => {
    const tags = await tagsOf(reference, parts)
    if (tags.length > 0) return tags
    const message = `An image does not exist locally with the tag: ${familiar}`
    throw new PhylloError('IMAGE_NOT_FOUND', message, { reference: familiar })
  })
}

/** @throws REFERENCE_INVALID */
function pushable(name: string): Reference {
  const reference = parseReference(name)
  if (reference.digest === undefined) return reference
  throw new PhylloError('REFERENCE_INVALID', `${name}: cannot push a digest reference`, { reference: name })
}

/** In the order of their names. */
async function tagsOf(reference: Reference, { references }: PushParts): Promise<Reference[]> {
  const repository = canonicalRepository(reference)
  return (await references.list())
    .map(association => association.reference)
    .filter(one => one.tag !== undefined && canonicalRepository(one) === repository)
}

async function push(
  reference: Reference,
  options: PushWays,
  parts: PushParts,
  op: OperationContext,
  tagged: () => Promise<readonly Reference[]>,
): Promise<readonly Pushed[]> {
  const uploads = checkedUploads(options.maxConcurrentUploads)
  checkFormat(options.format)
  const repository = canonicalRepository(reference)
  op.emit({ type: 'image', subject: repository, message: `The push refers to repository [${repository}]` })
  const references = await tagged()
  try {
    return await parts.space.watched(op, op => send(references, { ...options, uploads }, parts, op))
  } catch (error) {
    if (!(error instanceof PhylloError && error.code.startsWith('REGISTRY_'))) throw error
    throw withFacts(error, { reference: canonicalName(reference) }, canonicalName(reference))
  }
}

async function send(
  references: readonly Reference[],
  { uploads, format }: PushWays & { readonly uploads: number },
  parts: PushParts,
  outer: WritingContext,
): Promise<readonly Pushed[]> {
  const { root, blobNotes, limits } = parts
  const target = { domain: references[0]!.domain, path: references[0]!.path }
  const client = await parts.registries()
  const stop = stoppable(outer.signal)
  const writable = root.readOnlyReason === undefined
  // Nothing is written to the disk of a store that may only be read, so that it may be full.
  const watch = () => writable && outer.watch()
  const op = { ...outer, signal: stop.signal, watch }
  const credential = await client.credential(target.domain, { signal: op.signal })
  const notes = new PushNotes(blobNotes, canonicalRepository(target), credential, writable)
  const stage = new GzipStage({
    pool: parts.pool,
    signal: op.signal,
    place: () => (writable ? root.stage() : temporaryPlace('phyllo-push-')),
  })
  const manifestSource = (imageId: ImageId): ManifestSource => ({
    format,
    digests: () => digestsOf(imageId, parts),
    kept: digest => keptDocument(root.paths, digest, limits),
    limits,
  })
  const pushed: Pushed[] = []
  const onTag = async (tag: string, imageId: ImageId, { digest, bytes }: WrittenManifest) => {
    const reference = canonicalName({ ...target, tag })
    if (writable) await parts.references.edit(async names => names.put({ ...target, digest }, imageId))
    pushed.push({ reference, digest, sizeBytes: bytes.length })
    const message = `${tag}: digest: ${digest} size: ${bytes.length}`
    op.emit({ type: 'tag', subject: familiarName({ ...target, tag }), message })
  }
  const shared = { target, repository: client.repository(target), notes, paths: root.paths, stage, op }
  const to = new PushTarget({ ...shared, uploads, manifestSource, onTag, fail: stop.fail })
  const work = () => saveImages(references.map(canonicalName), parts, to, { pool: parts.pool, signal: op.signal })
  try {
    await finishing(work, () => stage[Symbol.asyncDispose]())
  } catch (error) {
    throw op.signal.aborted ? op.signal.reason : error
  } finally {
    stop.leave()
  }
  return pushed
}

/** The digests that an image is known by: those of its repositories. */
async function digestsOf(imageId: ImageId, { references }: PushParts) {
  const all = await references.list()
  return all.flatMap(association => {
    const { digest } = association.reference
    return association.imageId === imageId && digest !== undefined ? [digest] : []
  })
}

/** A signal that also the first failure of a part aborts, with that as its reason. */
function stoppable(signal: AbortSignal) {
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const abort = () => stop.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return {
    signal: stop.signal,
    fail: (error: unknown) => stop.abort(error),
    leave: () => signal.removeEventListener('abort', abort),
  }
}

function checkedUploads(uploads = 5): number {
  if (Number.isInteger(uploads) && uploads >= 1 && uploads <= uploadsMost) return uploads
  throw new TypeError(`maxConcurrentUploads: ${uploads} is not a whole number from 1 to ${uploadsMost}`)
}

function checkFormat(format: unknown): void {
  if (format === undefined || format === 'docker' || format === 'oci') return
  throw new TypeError(`format is docker or oci, not ${JSON.stringify(format)}`)
}
