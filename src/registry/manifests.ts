/**
 * Manifests and indexes of a repository. What is fetched is hashed as it came; a digest that a header states leads to
 * bytes, and proves nothing. Which image of an index is meant is oci/'s to say.
 */
import { PhylloError } from '../errors.js'
import { type Descriptor, verifyBytes } from '../oci/descriptor.js'
import { algorithmOf, type Digest, isDigest, parseDigest, sha256Digest } from '../oci/digest.js'
import { type ImageIndex, leavesOf, parseManifestOrIndex } from '../oci/index-manifest.js'
import type { ImageManifest } from '../oci/manifest.js'
import { manifestKindOf, mediaTypes } from '../oci/media-type.js'
import { hostPlatform, type Platform, platformMatches, selectPlatform } from '../oci/platform.js'
import { quoted } from '../oci/quoted.js'
import { isTag } from '../oci/reference.js'
import type { Answer } from './exchange.js'
import { type Cancellable, type Place, pullScope, pushScope } from './place.js'

/** No type of schema 1 is among them, so that nothing is converted for us. */
const accept = [mediaTypes.ociIndex, mediaTypes.ociManifest, mediaTypes.dockerList, mediaTypes.dockerManifest].join(
  ', ',
)

/** Indexes within an index that are fetched at most. */
const nestedMax = 64

/** What a descriptor says of a manifest; of a tag, as far as the registry tells it beforehand. */
export type Announced = Pick<Descriptor, 'digest'> & Partial<Pick<Descriptor, 'mediaType' | 'sizeBytes' | 'data'>>

export interface Fetched<T extends ImageManifest | ImageIndex = ImageManifest | ImageIndex> {
  readonly digest: Digest
  readonly bytes: Buffer
  readonly document: T
}

export interface FetchedImage extends Fetched<ImageManifest> {
  /** The index that it was chosen from: its digest is the one that a reference by digest is recorded with. */
  readonly index?: Fetched<ImageIndex>
  readonly platform?: Platform
}

/** Of a HEAD that says nothing: there is no such tag, no such method, or a refusal whose words come with a GET alone. */
const unresolved = [400, 403, 404, 405, 501]

/** What a tag points to, by HEAD; undefined: there is no such tag. A registry that does not tell the digest has none either. */
export async function resolveTag(
  place: Place,
  tag: string,
  { signal }: Cancellable = {},
): Promise<Announced | undefined> {
  checkTag(tag)
  const answer = await place.session.send({
    ...manifestCall(place, tag),
    method: 'HEAD',
    expects: [200, ...unresolved],
    signal,
  })
  answer.discard()
  const digest = answer.header('docker-content-digest')
  if (answer.status !== 200 || !isDigest(digest)) return undefined
  const mediaType = typeOf(answer)
  const length = answer.header('content-length')
  return {
    digest,
    ...(mediaType && { mediaType }),
    ...(length && /^\d{1,15}$/.test(length) && { sizeBytes: Number(length) }),
  }
}

/**
 * The manifest or index of a tag, a digest or a descriptor. A tag is pinned by its digest first, so that one answer is
 * about one thing. @throws REGISTRY_ codes, DIGEST_MISMATCH, SIZE_MISMATCH, MANIFEST_INVALID, MANIFEST_AMBIGUOUS, LIMIT_EXCEEDED
 */
export async function getManifest(
  place: Place,
  reference: string | Announced,
  options: Cancellable = {},
): Promise<Fetched> {
  if (typeof reference !== 'string') return byDigest(place, reference, options)
  // No tag has a colon, no digest is without one; what is neither must not become a path.
  if (reference.includes(':')) return byDigest(place, { digest: parseDigest(reference) }, options)
  const announced = await resolveTag(place, reference, options)
  if (announced !== undefined) {
    try {
      // The length of a HEAD is nobody's promise.
      return await byDigest(place, { digest: announced.digest }, options)
    } catch (error) {
      if (!(error instanceof PhylloError && error.code === 'REGISTRY_NOT_FOUND')) throw error
    }
  }
  const { bytes, type } = await fetchBytes(place, reference, `${place.name}:${reference}`, options)
  return parsed(place, sha256Digest(bytes), bytes, type, `${place.name}:${reference}`)
}

/** The image for the platform: the manifest itself, or the best one of an index. @throws as getManifest, PLATFORM_NOT_FOUND */
export async function getImage(
  place: Place,
  reference: string | Announced,
  { platform = hostPlatform(), signal }: Cancellable & { readonly platform?: Platform | undefined } = {},
): Promise<FetchedImage> {
  const fetched = await getManifest(place, reference, { signal })
  if (isImage(fetched)) return fetched
  const index = fetched as Fetched<ImageIndex>
  const what = `${place.name}@${index.digest}`
  const { read, missing } = nestedIndexes(place, what, signal)
  const leaves = await leavesOf(index.document, read, { limits: place.limits, what })
  // Nobody can tell what one that is not there would have had.
  if (missing.length > 0 && platformMatches(leaves, platform).length === 0) throw missing[0]
  const chosen = selectPlatform(leaves, platform, what)
  const image = await byDigest(place, chosen.descriptor, { signal })
  if (!isImage(image))
    throw new PhylloError('MANIFEST_AMBIGUOUS', `${what}: ${image.digest} is an index, and was announced as an image`)
  return { ...image, index, ...(chosen.platform && { platform: chosen.platform }) }
}

/** Reads the indexes of an index, and tells of those that the registry has not: the others may do. */
function nestedIndexes(place: Place, what: string, signal: AbortSignal | undefined) {
  const missing: unknown[] = []
  let nested = 0
  async function read(descriptor: Descriptor): Promise<Uint8Array | undefined> {
    if (++nested > nestedMax)
      throw new PhylloError('REGISTRY_PROTOCOL', `${what}: more than ${nestedMax} indexes within it`, {
        max: nestedMax,
      })
    try {
      return (await byDigest(place, descriptor, { signal })).bytes
    } catch (error) {
      if (!(error instanceof PhylloError && error.code === 'REGISTRY_NOT_FOUND')) throw error
      missing.push(error)
      return undefined
    }
  }
  return { read, missing }
}

/** Whether what was sent is what the registry says it has; `subject` as it states it. */
export interface Put {
  readonly digest: Digest
  /** The registry has noticed what the manifest refers to (`OCI-Subject`). */
  readonly subject: string | undefined
}

/** Stores the bytes under a tag, or under their own digest without one. @throws REGISTRY_ codes, DIGEST_MISMATCH */
export async function putManifest(
  place: Place,
  { tag, bytes, mediaType, signal }: Cancellable & { tag?: string | undefined; bytes: Uint8Array; mediaType: string },
): Promise<Put> {
  if (tag !== undefined) checkTag(tag)
  const digest = sha256Digest(bytes)
  const answer = await place.session.send({
    method: 'PUT',
    at: `${place.path}/manifests/${tag ?? digest}`,
    scopes: [pushScope(place.path)],
    expects: [201, 200],
    repeat: 'always',
    headers: { 'content-type': mediaType },
    content: bytes,
    signal,
  })
  answer.discard()
  checkStated(answer, digest, `${place.name}:${tag ?? digest}`)
  return { digest, subject: answer.header('oci-subject') }
}

/** False: there was none. @throws REGISTRY_REFUSED where the registry deletes nothing */
export async function deleteManifest(place: Place, digest: Digest, { signal }: Cancellable = {}): Promise<boolean> {
  const at = `${place.path}/manifests/${digest}`
  const scopes = [`repository:${place.path}:push,pull,delete`]
  const answer = await place.session.send({
    method: 'DELETE',
    at,
    scopes,
    expects: [202, 200, 404],
    repeat: 'always',
    signal,
  })
  answer.discard()
  return answer.status !== 404
}

/** What the registry states of bytes that it was sent must be their digest, if it is of the same kind. */
export function checkStated(answer: Answer, digest: Digest, what: string): void {
  const stated = answer.header('docker-content-digest')
  if (!isDigest(stated) || algorithmOf(stated) !== algorithmOf(digest) || stated === digest) return
  throw new PhylloError('DIGEST_MISMATCH', `${what}: the registry took ${stated} for ${digest}`, {
    expected: digest,
    seen: stated,
  })
}

async function byDigest(place: Place, announced: Announced, options: Cancellable): Promise<Fetched> {
  const { digest, sizeBytes, mediaType, data } = announced
  const what = `${place.name}@${digest}`
  const { bytes, type } =
    data === undefined ? await fetchBytes(place, digest, what, options) : { bytes: data, type: undefined }
  verifyBytes({ digest, sizeBytes: sizeBytes ?? bytes.length }, bytes, what)
  const known = mediaType !== undefined && manifestKindOf(mediaType) !== undefined ? mediaType : undefined
  if (known !== undefined && type !== undefined && type !== known)
    throw new PhylloError('MANIFEST_AMBIGUOUS', `${what}: announced as ${known}, and sent as ${type}`)
  return parsed(place, digest, bytes, known ?? type, what)
}

async function fetchBytes(place: Place, reference: string, what: string, { signal }: Cancellable) {
  const call = { ...manifestCall(place, reference), method: 'GET', expects: [200], signal } as const
  const { answer, bytes } = await place.session.document(call, { limits: place.limits, limit: 'jsonBytes' }, what)
  return { bytes, type: typeOf(answer) }
}

function parsed(place: Place, digest: Digest, bytes: Buffer, type: string | undefined, what: string): Fetched {
  const options = { limits: place.limits, what, ...(type !== undefined && { mediaType: type }) }
  return { digest, bytes, document: parseManifestOrIndex(bytes, options) }
}

function isImage(fetched: Fetched): fetched is Fetched<ImageManifest> {
  return fetched.document.kind === 'manifest'
}

function manifestCall({ path }: Place, reference: string) {
  const [at, scopes] = [`${path}/manifests/${reference}`, [pullScope(path)]]
  return { at, scopes, headers: { accept }, repeat: 'always' } as const
}

/** @throws REFERENCE_INVALID */
function checkTag(tag: string): void {
  if (isTag(tag)) return
  throw new PhylloError('REFERENCE_INVALID', `${quoted(tag)} is not a tag`)
}

/** Of those that are a manifest's; without its parameters. */
function typeOf(answer: Answer): string | undefined {
  const type = answer.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  return type !== undefined && manifestKindOf(type) !== undefined ? type : undefined
}
