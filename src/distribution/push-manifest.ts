/** Which manifest an image is pushed with: the one that it came with, if that is kept and still fits, else one that is written. */
import { PhylloError } from '../errors.js'
import type { StoredImage } from '../images/target.js'
import type { Limits } from '../limits.js'
import type { Descriptor } from '../oci/descriptor.js'
import type { Digest } from '../oci/digest.js'
import { parseManifestOrIndex } from '../oci/index-manifest.js'
import type { ImageManifest } from '../oci/manifest.js'
import { mediaTypes } from '../oci/media-type.js'
import {
  type LayerForm,
  layerType,
  type ManifestFormat,
  type WrittenManifest,
  writeManifest,
} from '../oci/write-manifest.js'

/** A layer as the registry has it. */
export interface LayerBlob extends Pick<Descriptor, 'digest' | 'sizeBytes'> {
  readonly form: LayerForm
}

export interface ManifestSource {
  /** What was asked for; undefined: whatever fits. */
  readonly format: ManifestFormat | undefined
  /** Digests that the image is known by, of manifests or indexes. */
  readonly digests: () => Promise<readonly Digest[]>
  /** One of those, or of what is in them, if it is kept; verified. */
  readonly kept: (digest: Digest) => Promise<Buffer | undefined>
  readonly limits: Limits
}

/** The same layers give the same manifest, wherever they go. `layers`: base first. */
export async function manifestOf(
  image: StoredImage,
  layers: readonly LayerBlob[],
  source: ManifestSource,
): Promise<WrittenManifest> {
  for (const digest of await source.digests()) {
    const original = await originalOf(image, layers, digest, source)
    if (original !== undefined) return original
  }
  // Docker's types have none for zstd.
  const format = layers.some(({ form }) => form === 'zstd') ? 'oci' : (source.format ?? 'docker')
  return writeManifest(format, {
    config: { digest: image.imageId, sizeBytes: image.config.length },
    layers: layers.map(({ digest, sizeBytes, form }) => ({ mediaType: layerType(format, form), digest, sizeBytes })),
  })
}

/** The manifest, or one out of the index, of that digest. */
async function originalOf(
  image: StoredImage,
  layers: readonly LayerBlob[],
  digest: Digest,
  source: ManifestSource,
): Promise<WrittenManifest | undefined> {
  const found = await documentOf(digest, source)
  if (found === undefined) return undefined
  const { document, bytes } = found
  if (document.kind === 'manifest')
    return fits(image, layers, document, source.format) ? { bytes, mediaType: document.mediaType, digest } : undefined
  for (const child of document.manifests) {
    const inner = await documentOf(child.digest, source)
    if (inner?.document.kind === 'manifest' && fits(image, layers, inner.document, source.format))
      return { bytes: inner.bytes, mediaType: inner.document.mediaType, digest: child.digest }
  }
  return undefined
}

async function documentOf(digest: Digest, { kept, limits }: ManifestSource) {
  const bytes = await kept(digest)
  if (bytes === undefined) return undefined
  try {
    return { bytes, document: parseManifestOrIndex(bytes, { limits, what: digest }) }
  } catch (error) {
    if (error instanceof PhylloError) return undefined
    throw error
  }
}

function fits(
  { imageId, config }: StoredImage,
  layers: readonly LayerBlob[],
  manifest: ImageManifest,
  format: ManifestFormat | undefined,
): boolean {
  const type = { docker: mediaTypes.dockerManifest, oci: mediaTypes.ociManifest }
  return (
    (format === undefined || manifest.mediaType === type[format]) &&
    manifest.config.digest === imageId &&
    manifest.config.sizeBytes === config.length &&
    manifest.layers.length === layers.length &&
    manifest.layers.every(
      ({ digest, sizeBytes }, at) => digest === layers[at]?.digest && sizeBytes === layers[at].sizeBytes,
    )
  )
}
