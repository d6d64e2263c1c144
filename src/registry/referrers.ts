/**
 * Manifests that refer to another one (`subject`): signatures, SBOMs. Registries of the distribution-spec 1.1 list them;
 * for older ones the list is an index under a tag that is made of the digest, and kept by the clients.
 */
import { PhylloError } from '../errors.js'
import type { Descriptor } from '../oci/descriptor.js'
import { type Digest, hexOf } from '../oci/digest.js'
import { goJson } from '../oci/go-json.js'
import { type ImageIndex, parseImageIndex } from '../oci/index-manifest.js'
import type { ImageManifest } from '../oci/manifest.js'
import { mediaTypes } from '../oci/media-type.js'
import { pages } from './lists.js'
import { type Fetched, getManifest, putManifest } from './manifests.js'
import { type Cancellable, type Place, pullScope } from './place.js'

export interface ReferrersOptions extends Cancellable {
  readonly artifactType?: string | undefined
}

/** Descriptors of what refers to the digest; none where nothing does, or the registry knows nothing of it. */
export async function listReferrers(
  place: Place,
  subject: Digest,
  { artifactType, signal }: ReferrersOptions = {},
): Promise<readonly Descriptor[]> {
  const query = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
  const found: Descriptor[] = []
  const what = `referrers of ${place.name}@${subject}`
  const options = { scopes: [pullScope(place.path)], limits: place.limits, what, signal }
  try {
    for await (const { bytes } of pages(place.session, `${place.path}/referrers/${subject}${query}`, {
      ...options,
      headers: { accept: mediaTypes.ociIndex },
    }))
      found.push(...parseImageIndex(bytes, { limits: place.limits, what }).manifests)
  } catch (error) {
    if (!isMissing(error)) throw error
    found.push(...((await underTag(place, subject, { signal }))?.document.manifests ?? []))
  }
  // Whether the registry has filtered or not.
  return found.filter(one => artifactType === undefined || one.artifactType === artifactType)
}

/** Adds a manifest to the list under the tag: after a push to a registry that keeps no list itself. */
export async function addReferrer(
  place: Place,
  subject: Digest,
  { digest, bytes, document }: Fetched<ImageManifest>,
  { signal }: Cancellable = {},
): Promise<void> {
  const present = (await underTag(place, subject, { signal }))?.document.manifests ?? []
  if (present.some(one => one.digest === digest)) return
  const added: Descriptor = {
    mediaType: document.mediaType,
    digest,
    sizeBytes: bytes.length,
    artifactType: document.artifactType || document.config.mediaType,
    ...(document.annotations && { annotations: document.annotations }),
  }
  const manifests = [...present, added].map(written)
  const index = Buffer.from(goJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }))
  await putManifest(place, { tag: tagOf(subject), bytes: index, mediaType: mediaTypes.ociIndex, signal })
}

/** `sha256-…`; of longer ones 32 characters of the algorithm, and 64 of the rest. */
export function tagOf(digest: Digest): string {
  return `${digest.slice(0, digest.indexOf(':')).slice(0, 32)}-${hexOf(digest).slice(0, 64)}`
}

async function underTag(place: Place, subject: Digest, options: Cancellable): Promise<Fetched<ImageIndex> | undefined> {
  try {
    const fetched = await getManifest(place, tagOf(subject), options)
    if (fetched.document.kind === 'index') return fetched as Fetched<ImageIndex>
    throw new PhylloError('MANIFEST_INVALID', `${place.name}:${tagOf(subject)} is an image, not a list of referrers`)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof PhylloError && error.code === 'REGISTRY_NOT_FOUND'
}

function written({ mediaType, digest, sizeBytes, artifactType, annotations, platform }: Descriptor) {
  const where = platform && { architecture: platform.architecture, os: platform.os, variant: platform.variant }
  return {
    mediaType,
    digest,
    size: sizeBytes,
    platform: where,
    artifactType,
    annotations: annotations && { ...annotations },
  }
}
