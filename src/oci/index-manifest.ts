/** Image indexes: OCI image-spec image-index.md and Docker's manifest list. They may hold each other. */
import { limitError } from '../limits.js'
import { type Descriptor, type DocumentOptions, parseDescriptor, verifyBytes } from './descriptor.js'
import { type Document, readDocument } from './document.js'
import { asArray, inside, own, refuseField, stringMapField } from './json-field.js'
import { type ImageManifest, imageManifestOf } from './manifest.js'
import { manifestKindOf } from './media-type.js'
import type { Platform } from './platform.js'

export interface ImageIndex {
  readonly kind: 'index'
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
  readonly annotations?: Readonly<Record<string, string>>
}

/** An index from its bytes. Throws MANIFEST_INVALID, MANIFEST_AMBIGUOUS, DIGEST_SYNTAX or LIMIT_EXCEEDED. */
export function parseImageIndex(bytes: Uint8Array, options: DocumentOptions): ImageIndex {
  return imageIndexOf(readDocument(bytes, options), options)
}

/** An image manifest or an index, whichever the bytes are. */
export function parseManifestOrIndex(bytes: Uint8Array, options: DocumentOptions): ImageManifest | ImageIndex {
  const document = readDocument(bytes, options)
  return document.kind === 'index' ? imageIndexOf(document, options) : imageManifestOf(document, options)
}

function imageIndexOf({ kind, mediaType, object, where }: Document, options: DocumentOptions): ImageIndex {
  if (kind !== 'index') refuseField(where, 'is an image manifest, not an index')
  const manifests = asArray(own(object, 'manifests') ?? [], inside(where, 'manifests'))
  const { archiveMembers } = options.limits
  if (manifests.length > archiveMembers)
    throw limitError('archiveMembers', archiveMembers, manifests.length, where.what)
  const annotations = stringMapField(object, 'annotations', where)
  return {
    kind,
    mediaType,
    manifests: manifests.map((entry, index) => parseDescriptor(entry, inside(where, `manifests[${index}]`))),
    ...(annotations && { annotations }),
  }
}

/** BuildKit's provenance and SBOM documents: they look like images of the platform unknown/unknown. */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  if (annotations?.['vnd.docker.reference.type'] === 'attestation-manifest') return true
  return platform?.os === 'unknown' && platform.architecture === 'unknown'
}

/** One image manifest of an index, at whatever depth it stands. */
export interface IndexLeaf {
  readonly descriptor: Descriptor
  /** Its own platform, else that of the nearest index around it which has one. */
  readonly platform?: Platform
  /** Descriptors of the indexes around it, outermost first. */
  readonly within: readonly Descriptor[]
}

/**
 * Every image manifest of an index and of the indexes in it, in order. Attestations and entries of unknown media types
 * are left out, and so are indexes of which `read`, that fetches the bytes of a nested one, knows none; they are verified here.
 * Throws LIMIT_EXCEEDED (indexDepth, archiveMembers in all), SIZE_MISMATCH, DIGEST_MISMATCH and whatever parseImageIndex throws.
 */
export async function leavesOf(
  index: ImageIndex,
  read: (descriptor: Descriptor) => Promise<Uint8Array | undefined> | Uint8Array,
  options: DocumentOptions,
): Promise<IndexLeaf[]> {
  const leaves: IndexLeaf[] = []
  let seen = 0
  async function visit({ manifests }: ImageIndex, within: readonly Descriptor[]): Promise<void> {
    const { indexDepth, archiveMembers } = options.limits
    if (within.length >= indexDepth) throw limitError('indexDepth', indexDepth, within.length + 1, options.what)
    for (const descriptor of manifests) {
      seen += 1
      if (seen > archiveMembers) throw limitError('archiveMembers', archiveMembers, seen, options.what)
      const kind = manifestKindOf(descriptor.mediaType)
      if (isAttestation(descriptor)) continue
      if (kind === 'manifest') {
        const platform = descriptor.platform ?? within.findLast(outer => outer.platform !== undefined)?.platform
        leaves.push({ descriptor, within, ...(platform && { platform }) })
      } else if (kind === 'index') {
        const what = `index ${descriptor.digest}`
        const bytes = descriptor.data ?? (await read(descriptor))
        if (bytes === undefined) continue
        verifyBytes(descriptor, bytes, what)
        const nested = parseImageIndex(bytes, { ...options, what, mediaType: descriptor.mediaType })
        await visit(nested, [...within, descriptor])
      }
    }
  }
  await visit(index, [])
  return leaves
}
