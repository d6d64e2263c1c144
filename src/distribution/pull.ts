/**
 * Pull: what a registry has under a name comes into the store, by the one way into it (images/copy.ts).
 *
 * Invariants:
 * - A tag is pinned by its digest before anything is fetched: one answer is about one thing.
 * - What is recorded to have come from this repository under this digest, and is here with all of its layers, is not asked for again.
 * - Names come last, as in Docker: the digest of the top-level manifest or index, then the tag.
 */
import { fromText, printable } from '../byte-string.js'
import type { Root } from '../disk/root.js'
import type { Space } from '../disk/space.js'
import { PhylloError, withFacts } from '../errors.js'
import { type CopiedImage, type CopyTarget, copyIntoStore } from '../images/copy.js'
import type { ReferenceStore } from '../images/reference-store.js'
import type { LayerStore } from '../layers/layer-store.js'
import type { Digest } from '../oci/digest.js'
import {
  formatPlatform,
  hostPlatform,
  matchPlatform,
  type Platform,
  parsePlatform,
  platformRank,
} from '../oci/platform.js'
import {
  canonicalName,
  familiarName,
  familiarRepository,
  isTag,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { RegistryClient } from '../registry/client.js'
import type { FetchedImage } from '../registry/manifests.js'
import type { Repository } from '../registry/repository.js'
import type { Mirrors } from './mirrors.js'
import { endpointsOf, fromFirst } from './plan.js'
import { PullSource, type PullSourceParts } from './pull-source.js'

export interface PullOptions {
  readonly signal?: AbortSignal
  /** `os/architecture[/variant]`, to choose from an index. Default: the host's. */
  readonly platform?: string
}

/** What of a store a pull needs. */
export interface PullParts extends PullSourceParts {
  readonly root: Root
  readonly space: Space
  readonly references: ReferenceStore
  readonly layers: LayerStore
  copyTarget(): CopyTarget
  registries(): Promise<RegistryClient>
  mirrors(): Promise<Mirrors>
}

export interface Pulled extends CopiedImage {
  /** The name that it was pulled by. */
  readonly reference: Reference
  /** Of the top-level manifest or index. */
  readonly digest: Digest
  /** The name has not meant this image before. */
  readonly isNew: boolean
}

/** @throws REGISTRY_ codes, REFERENCE_INVALID and all that copyIntoStore throws; TypeError for a platform that is none */
export async function pullImage(
  text: string,
  options: Pick<PullOptions, 'platform'>,
  parts: PullParts,
  op: OperationContext,
): Promise<Pulled> {
  const { domain, path, tag, digest } = withDefaultTag(parseReference(text))
  // With both, the digest decides.
  const reference = { domain, path, ...(digest === undefined ? { tag: tag! } : { digest }) }
  const pulled = await pullReference(reference, platformOf(options), parts, op)
  sayStatus(op, pulled.isNew, familiarName(reference), canonicalName(reference))
  return pulled
}

/** One that was asked for by its tag. */
export interface TagResult {
  /** `repository:tag`, familiar. */
  readonly reference: string
  readonly pulled?: Pulled
  /** Why it was not. */
  readonly error?: unknown
}

/**
 * Every tag of a repository, one after the other. One that is no image, or fails otherwise, does not keep the others; what ends
 * them all is thrown: an abort, a store that fails, a full disk.
 */
export async function pullAllTags(
  text: string,
  options: Pick<PullOptions, 'platform'>,
  parts: PullParts,
  op: OperationContext,
): Promise<TagResult[]> {
  const { tag: given, digest, ...repository } = parseReference(text)
  if (given !== undefined || digest !== undefined)
    throw new PhylloError('REFERENCE_INVALID', `${text}: all tags are those of a repository: name it without a tag`)
  const platform = platformOf(options)
  const tags = await fromEndpoints(repository, parts, op, from => from.tags({ signal: op.signal }))
  const results: TagResult[] = []
  for (const tag of tags.toSorted()) {
    // What a registry calls a tag may be none, and made for a terminal.
    const reference = `${familiarRepository(repository)}:${printable(fromText(tag))}`
    try {
      if (!isTag(tag)) throw new PhylloError('REFERENCE_INVALID', `${reference}: not a tag`)
      results.push({ reference, pulled: await pullReference({ ...repository, tag }, platform, parts, op) })
    } catch (error) {
      op.signal.throwIfAborted()
      if (!(error instanceof PhylloError) || /^(DISK_FULL|STORE_|WORKER_)/.test(error.code)) throw error
      results.push({ reference, error })
    }
  }
  const isNew = results.some(({ pulled }) => pulled?.isNew)
  sayStatus(op, isNew, familiarRepository(repository), canonicalName(repository))
  return results
}

function platformOf({ platform }: Pick<PullOptions, 'platform'>): Platform | undefined {
  return platform === undefined ? undefined : parsePlatform(platform)
}

function sayStatus({ emit }: OperationContext, isNew: boolean, name: string, canonical: string): void {
  const message = isNew ? `Downloaded newer image for ${name}` : `Image is up to date for ${name}`
  emit({ type: 'status', subject: canonical, message: `Status: ${message}` })
}

async function fromEndpoints<T>(
  reference: Reference,
  parts: Pick<PullParts, 'registries' | 'mirrors'>,
  op: OperationContext,
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  const endpoints = endpointsOf(reference, await parts.registries(), await parts.mirrors())
  return fromFirst(endpoints, ({ repository }) => work(repository), op)
}

async function pullReference(
  reference: Reference,
  platform: Platform | undefined,
  parts: PullParts,
  op: OperationContext,
): Promise<Pulled> {
  const { digest } = reference
  const known = digest && (await knownImage(reference, digest, platform, parts, op))
  if (known !== undefined) return known
  return fromEndpoints(reference, parts, op, from => pullFrom(from, reference, platform, parts, op))
}

async function pullFrom(
  repository: Repository,
  reference: Reference,
  platform: Platform | undefined,
  parts: PullParts,
  op: OperationContext,
): Promise<Pulled> {
  const { signal } = op
  const { tag, digest, path } = reference
  const pinned = digest ?? (await named(reference, () => repository.resolve(tag!, { signal })))?.digest
  if (tag !== undefined && pinned !== undefined) {
    const known = await knownImage(reference, pinned, platform, parts, op)
    if (known !== undefined) return known
  }
  const fetched = await named(reference, () => imageOf(repository, reference, pinned, platform, signal))
  op.emit({ type: 'layer', subject: tag ?? familiarName(reference), message: `Pulling from ${path}` })
  const top = fetched.index?.digest ?? fetched.digest
  const pin = { ...reference, digest: digest ?? top }
  const { tag: _tag, ...pinnedName } = pin
  const references = tag === undefined ? [pinnedName] : [pinnedName, reference]
  const name = canonicalName(reference)
  const source = await PullSource.open(parts, { name, repository, manifest: fetched.document, references }, op)
  warnOfPlatform(source, platform, op)
  const isNew = (await parts.references.get(reference)) !== source.imageId
  const [copied] = await parts.space.watched(op, async op => {
    await using stage = await parts.root.stage()
    return await copyIntoStore(source, parts.copyTarget(), stage, op)
  })
  // They are collected unless a name leads to them.
  for (const document of [fetched, fetched.index])
    if (document !== undefined) await parts.downloads.settleDocument(document.digest, document.bytes)
  sayDigest(op, top)
  return { ...copied!, reference, digest: top, isNew }
}

/** The manifest for the platform. A tag that has moved since it was pinned may have left nothing behind: then what it means now. */
async function imageOf(
  repository: Repository,
  { tag }: Reference,
  pinned: Digest | undefined,
  platform: Platform | undefined,
  signal: AbortSignal,
): Promise<FetchedImage> {
  const options = { signal, platform }
  if (pinned === undefined) return repository.image(tag!, options)
  try {
    return await repository.image(pinned, options)
  } catch (error) {
    const gone = error instanceof PhylloError && error.code === 'REGISTRY_NOT_FOUND'
    if (!gone || tag === undefined) throw error
    return repository.image(tag, options)
  }
}

/** The image that is here under this digest, if it is what would be chosen, whole; it gets the tag that it was asked for by. */
async function knownImage(
  reference: Reference,
  digest: Digest,
  platform: Platform | undefined,
  { references, images, layers }: PullParts,
  op: OperationContext,
): Promise<Pulled | undefined> {
  const { tag, path, ...repository } = reference
  const id = await references.get({ ...repository, path, digest })
  const image = id && (await images.get(id).catch(() => undefined))
  if (id === undefined || image === undefined) return undefined
  if (platformRank(platform ?? hostPlatform(), image.config) !== 0) return undefined
  await using _lease = await layers.lease({ stacks: [image.config.diffIds], images: [id] })
  const [chain] = await layers.chainsOf([image.config.diffIds])
  if (chain === undefined || !(await images.has(id))) return undefined
  const before = await references.get(reference)
  if (tag !== undefined && before !== id) await references.tag(reference, id)
  op.report.bytesToFetch = 0
  op.emit({ type: 'layer', subject: tag ?? familiarName(reference), message: `Pulling from ${path}` })
  sayDigest(op, digest)
  return { id, layers: chain, reference, digest, isNew: before !== id }
}

function sayDigest({ emit }: Pick<OperationContext, 'emit'>, digest: Digest): void {
  emit({ type: 'status', subject: '', message: `Digest: ${digest}` })
}

/** As newer Dockers do for an image that is no index: it is what there is. */
function warnOfPlatform({ config, name }: PullSource, wanted: Platform | undefined, op: OperationContext): void {
  if (wanted === undefined || config.architecture === '' || matchPlatform(wanted, config)) return
  const platform = printable(fromText(formatPlatform(config)))
  const message = `image with reference ${name} was found but its platform (${platform}) does not match the specified platform (${formatPlatform(wanted)})`
  op.emit({ type: 'warning', subject: name, message })
}

/** What a registry says when it finds no manifest, with the name that was asked for. */
async function named<T>(reference: Reference, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const name = familiarName(reference)
    const code = error instanceof PhylloError ? error.code : undefined
    const denied = code === 'REGISTRY_DENIED' || code === 'REGISTRY_AUTH'
    const said = denied
      ? `pull access denied for ${familiarRepository(reference)}, repository does not exist or may require a login`
      : code === 'REGISTRY_NOT_FOUND'
        ? `manifest for ${name} not found`
        : name
    throw withFacts(error, { reference: name }, said)
  }
}
