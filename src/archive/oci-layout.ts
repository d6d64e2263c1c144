/**
 * Images of an OCI image layout (image-spec image-layout.md), in a directory or in an archive of one.
 *
 * Invariants:
 * - Every document is read by digest, and its size and digest are those of the descriptor that led to it. Layers are
 *   verified by the jobs that read them; here only their sizes are compared.
 * - What is no image (attestations, signatures, artifacts) is passed over; a layout of nothing else is refused.
 */
import { printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import type { SourceImage, SourceLayer } from '../images/source.js'
import type { Limits } from '../limits.js'
import { type ImageConfig, parseImageConfig } from '../oci/config.js'
import { type Descriptor, verifyBytes } from '../oci/descriptor.js'
import { type Digest, type ImageId, sha256Digest } from '../oci/digest.js'
import { type IndexLeaf, leavesOf, parseImageIndex } from '../oci/index-manifest.js'
import { isObject, parseJson } from '../oci/json.js'
import { type ImageManifest, parseImageManifest } from '../oci/manifest.js'
import { isImageConfigType, isLayerType } from '../oci/media-type.js'
import type { Platform } from '../oci/platform.js'
import { canonicalName, type Reference } from '../oci/reference.js'
import { type ArchiveContent, checkDocumentSize, readNeeded } from './content.js'
import { blobMember, indexMember, layoutMember, layoutVersion } from './layout-names.js'
import { referenceOf } from './layout-reference.js'
import { type Candidate, chooseImages, type Group } from './platform-choice.js'

interface LayoutImage {
  readonly imageId: ImageId
  readonly bytes: Buffer
  readonly config: ImageConfig
  readonly manifest: ImageManifest
}

export class OciLayout {
  readonly #content: ArchiveContent
  readonly #limits: Limits
  readonly #images = new Map<Digest, LayoutImage | string>()

  constructor(content: ArchiveContent, limits: Limits) {
    this.#content = content
    this.#limits = limits
  }

  /**
   * The images, each once with all its references. Throws ARCHIVE_INVALID, MANIFEST_INVALID, MANIFEST_AMBIGUOUS,
   * CONFIG_INVALID, SIZE_MISMATCH, DIGEST_MISMATCH, REFERENCE_INVALID, PLATFORM_NOT_FOUND or LIMIT_EXCEEDED.
   */
  async images(platform: Platform | undefined): Promise<SourceImage[]> {
    await this.#checkVersion()
    const limits = this.#limits
    const what = `${this.#content.name}: ${indexMember}`
    const bytes = await readNeeded(this.#content, indexMember, 'it says which images there are')
    const index = parseImageIndex(bytes, { limits, what })
    const leaves = await leavesOf(index, nested => this.#document(nested), { limits, what })
    const groups = await this.#groups(leaves)
    if (groups.length === 0 && index.manifests.length > 0)
      throw new PhylloError('ARCHIVE_INVALID', `${what}: leads to no image${this.#passedOver()}`)
    const chosen = chooseImages(groups, platform, this.#content.name)
    const found = new Map<Digest, Reference[]>()
    for (const { descriptor, references } of chosen) {
      const known = found.get(descriptor.digest) ?? []
      const names = new Set(known.map(canonicalName))
      found.set(descriptor.digest, [...known, ...references.filter(reference => !names.has(canonicalName(reference)))])
    }
    const images: SourceImage[] = []
    for (const [digest, references] of found) images.push(await this.#sourceImage(digest, references))
    return images
  }

  async #checkVersion(): Promise<void> {
    const what = `${this.#content.name}: ${layoutMember}`
    const bytes = await readNeeded(this.#content, layoutMember, 'an OCI image layout has it')
    const layout = parseJson(bytes, { limits: this.#limits, what, keys: ['imageLayoutVersion'] })
    const version = isObject(layout) ? layout.imageLayoutVersion : undefined
    if (version === layoutVersion) return
    const shown = typeof version === 'string' ? printable(version.slice(0, 80)) : 'missing'
    throw new PhylloError('ARCHIVE_INVALID', `${what}: imageLayoutVersion is ${shown}, not ${layoutVersion}`)
  }

  /**
   * What stands for one thing is one group, of which one image is chosen: all of one name; all of one nested index; and
   * the unnamed manifests that name their platform. Any other manifest is a group of its own.
   */
  async #groups(leaves: readonly IndexLeaf[]): Promise<Group[]> {
    const groups = new Map<string, { references: Reference[]; candidates: Map<Digest, Candidate>; single: boolean }>()
    for (const { descriptor, platform, within } of leaves) {
      const image = await this.#image(descriptor)
      if (typeof image === 'string') continue
      const top = within[0] ?? descriptor
      const reference = referenceOf(top.annotations, this.#content.name)
      const unnamed = within.length > 0 || platform === undefined ? top.digest : 'platforms'
      const key = reference === undefined ? unnamed : canonicalName(reference)
      const single = reference !== undefined || within.length > 0
      const group = groups.get(key) ?? { references: reference ? [reference] : [], candidates: new Map(), single }
      group.candidates.set(descriptor.digest, { descriptor, platform: platform ?? platformOf(image.config) })
      groups.set(key, group)
    }
    return [...groups.values()].map(group => ({ ...group, candidates: [...group.candidates.values()] }))
  }

  /** For the message of a layout without images: what its manifests are instead. */
  #passedOver(): string {
    const reasons = [...this.#images].flatMap(([digest, image]) =>
      typeof image === 'string' ? [`${digest} ${image}`] : [],
    )
    return reasons.length === 0 ? '' : `: ${reasons.slice(0, 5).join('; ')}`
  }

  /** The image that a manifest's descriptor leads to, or why it is none. */
  async #image(descriptor: Descriptor): Promise<LayoutImage | string> {
    const known = this.#images.get(descriptor.digest)
    if (known !== undefined) return known
    const image = await this.#readImage(descriptor)
    this.#images.set(descriptor.digest, image)
    return image
  }

  async #readImage(descriptor: Descriptor): Promise<LayoutImage | string> {
    const limits = this.#limits
    const what = `${this.#content.name}: manifest ${descriptor.digest}`
    // An index may name more than was saved with it: other platforms, for one.
    if (!(await this.#content.has(blobMember(descriptor.digest)))) return 'is not in the archive'
    const manifest = parseImageManifest(await this.#document(descriptor), {
      limits,
      what,
      mediaType: descriptor.mediaType,
    })
    if (!isImageConfigType(manifest.config.mediaType))
      return `has a config of the type ${printable(manifest.config.mediaType)}`
    const foreign = manifest.layers.find(({ mediaType }) => !isLayerType(mediaType))
    if (foreign !== undefined) return `has a layer of the type ${printable(foreign.mediaType)}`
    if (!(await this.#content.has(blobMember(manifest.config.digest)))) return 'has a config that is not in the archive'
    const bytes = await this.#document(manifest.config)
    const config = parseImageConfig(bytes, { limits, what: `${this.#content.name}: config ${manifest.config.digest}` })
    const [expected, seen] = [manifest.layers.length, config.diffIds.length]
    if (expected !== seen) {
      const reason = `has ${expected} layers, and the config has ${seen} diff_ids`
      throw new PhylloError('MANIFEST_INVALID', `${what}: ${reason}`, { expected, seen })
    }
    return { imageId: sha256Digest<ImageId>(bytes), bytes, config, manifest }
  }

  async #sourceImage(digest: Digest, references: readonly Reference[]): Promise<SourceImage> {
    const { imageId, bytes, config, manifest } = this.#images.get(digest) as LayoutImage
    const layers: SourceLayer[] = []
    for (const [index, descriptor] of manifest.layers.entries()) {
      const member = blobMember(descriptor.digest)
      const range = await this.#content.range(member)
      if (range !== undefined && range.sizeBytes !== descriptor.sizeBytes) {
        const reason = `${range.sizeBytes} bytes instead of ${descriptor.sizeBytes}`
        const facts = { member, expected: descriptor.sizeBytes, seen: range.sizeBytes }
        throw new PhylloError('SIZE_MISMATCH', `${this.#content.name}: ${member}: ${reason}`, facts)
      }
      layers.push({ diffId: config.diffIds[index]!, digest: descriptor.digest, member, ...(range && { range }) })
    }
    return { imageId, config: bytes, references, layers }
  }

  /** A manifest, index or config, verified. What a descriptor embeds is not looked at: the blob is what counts. */
  async #document(descriptor: Descriptor): Promise<Buffer> {
    const member = blobMember(descriptor.digest)
    const what = `${this.#content.name}: ${member}`
    checkDocumentSize(descriptor.sizeBytes, this.#limits, what)
    const bytes = await readNeeded(this.#content, member, 'a manifest or an index refers to it')
    verifyBytes(descriptor, bytes, what)
    return bytes
  }
}

function platformOf(config: ImageConfig): Platform | undefined {
  return config.os === '' && config.architecture === '' ? undefined : config
}
