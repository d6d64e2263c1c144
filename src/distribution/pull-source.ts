/**
 * An image of a registry as a source: its manifest and config, verified, and layers that are fetched when they are wanted.
 *
 * Invariants:
 * - Which layers there are is said by the config: a diffId is what the bytes are hashed to, never what a manifest or a note says.
 * - A blob is asked for of the registry alone, also one that may be elsewhere (`urls`).
 * - A note of what a blob is when it is not compressed is written only of blobs that were fetched, hashed and published here.
 */
import { PhylloError, withFacts } from '../errors.js'
import type { ImageStore } from '../images/image-store.js'
import type {
  Arrival,
  CopyWords,
  FetchOptions,
  ImageSource,
  RemoteLayer,
  SourceImage,
  SourceLayer,
} from '../images/source.js'
import type { BlobNotes } from '../layers/blob-notes.js'
import type { Limits } from '../limits.js'
import { type ImageConfig, parseImageConfig, requireLayerCount } from '../oci/config.js'
import type { Descriptor } from '../oci/descriptor.js'
import { type DiffId, type ImageId, sha256Digest, shortId } from '../oci/digest.js'
import type { ImageManifest } from '../oci/manifest.js'
import { isImageConfigType, isLayerType } from '../oci/media-type.js'
import { quoted } from '../oci/quoted.js'
import type { Reference } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { Repository } from '../registry/repository.js'
import type { Downloads } from './downloads.js'
import { retryingIn } from './retrying.js'

const words: CopyWords = {
  there: 'Already exists',
  missing: 'Pulling fs layer',
  written: 'Pull complete',
  image: 'Pulled image ID: ',
  tag: 'Pulled image: ',
  taken: false,
}

const pluginType = 'application/vnd.docker.plugin.v1+json'

export interface PullSourceParts {
  readonly images: ImageStore
  readonly blobNotes: BlobNotes
  readonly downloads: Downloads
  readonly limits: Limits
}

export interface PulledManifest {
  /** For messages. */
  readonly name: string
  readonly repository: Repository
  readonly manifest: ImageManifest
  /** To give to the image. */
  readonly references: readonly Reference[]
}

export class PullSource implements ImageSource {
  readonly publishesEarly = true
  readonly words = words
  readonly #parts: PullSourceParts
  readonly #pulled: PulledManifest
  readonly #image: { readonly id: ImageId; readonly bytes: Buffer; readonly config: ImageConfig }
  readonly #op: OperationContext
  #fetchedBytes = 0

  private constructor(
    parts: PullSourceParts,
    pulled: PulledManifest,
    image: { readonly id: ImageId; readonly bytes: Buffer; readonly config: ImageConfig },
    op: OperationContext,
  ) {
    this.#parts = parts
    this.#pulled = pulled
    this.#image = image
    this.#op = op
  }

  /** Fetches the config, unless the store has it. @throws MANIFEST_INVALID for what is no image; REGISTRY_ codes, CONFIG_INVALID, DIGEST_MISMATCH */
  static async open(parts: PullSourceParts, pulled: PulledManifest, op: OperationContext): Promise<PullSource> {
    const { manifest, name } = pulled
    checkTypes(manifest, name)
    const bytes = await configOf(parts, pulled, op.signal)
    const config = parseImageConfig(bytes, { limits: parts.limits, what: `${name}: config ${manifest.config.digest}` })
    requireLayerCount(
      config,
      manifest.layers.length,
      `${name}: layers from manifest don't match image configuration: it`,
    )
    return new PullSource(parts, pulled, { id: sha256Digest<ImageId>(bytes), bytes, config }, op)
  }

  get name(): string {
    return this.#pulled.name
  }

  get imageId(): ImageId {
    return this.#image.id
  }

  get config(): ImageConfig {
    return this.#image.config
  }

  async images(): Promise<readonly SourceImage[]> {
    const { id, bytes, config } = this.#image
    const { manifest, references } = this.#pulled
    const layers = manifest.layers.map((layer, index) => this.#layer(layer, config.diffIds[index]!))
    return [{ imageId: id, config: bytes, references, layers }]
  }

  bytesRead(): number {
    return this.#fetchedBytes
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Connections are the client's, partial downloads are left.
  }

  #layer(descriptor: Descriptor, diffId: DiffId): SourceLayer {
    const { digest } = descriptor
    const subject = shortId(digest)
    return { diffId, digest, subject, member: `layer ${digest}`, remote: this.#remote(descriptor, diffId, subject) }
  }

  #remote(blob: Descriptor, diffId: DiffId, subject: string): RemoteLayer {
    const { downloads, blobNotes } = this.#parts
    const { repository } = this.#pulled
    const { emit } = this.#op
    const total = blob.sizeBytes
    let [verified, complete] = [false, false]
    const say = (message: string) => emit({ type: 'layer', subject, message })
    const move = (action: string) => (done: number) => emit({ type: 'progress', subject, action, done, total })
    const extracting = move('Extracting')
    // What is not there yet cannot be all that there is to do.
    const progress = (bytes: number) => complete && extracting(bytes)
    const fetch = async <T>(use: (arrival: Arrival) => Promise<T>, { signal, isWanted }: FetchOptions) => {
      const receiver = {
        isWanted,
        waits: () => say('Waiting'),
        retriesIn: (seconds: number) => say(retryingIn(seconds)),
        arrived: move('Downloading'),
        complete: () => {
          complete = true
          // By the job, which reads behind.
          say('Verifying Checksum')
          say('Download complete')
        },
      }
      const onFetched = (bytes: number) => void (this.#fetchedBytes += bytes)
      const used = await downloads.fetch({ repository, blob, signal, receiver, onFetched }, range =>
        use({ range, progress }),
      )
      verified = used !== undefined
      return used
    }
    return {
      sizeBytes: total,
      keeps: downloads.keeps,
      missingBytes: () => downloads.missingBytes(blob),
      fetch,
      async published() {
        if (verified) await blobNotes.add(diffId, { digest: blob.digest, sourceRepository: repository.name, hmac: '' })
        await downloads.settle(blob)
      },
    }
  }
}

function checkTypes({ config, layers }: ImageManifest, name: string): void {
  const { mediaType } = config
  if (mediaType === pluginType)
    throw new PhylloError(
      'MANIFEST_INVALID',
      `Encountered remote ${quoted(mediaType)}(plugin) when fetching: ${name}`,
      {
        mediaType,
      },
    )
  const wrong = isImageConfigType(mediaType) ? layers.find(layer => !isLayerType(layer.mediaType)) : config
  if (wrong === undefined) return
  const what = wrong === config ? 'config' : 'layer'
  const reason = `unsupported media type ${quoted(wrong.mediaType)} of its ${what}: no image`
  throw new PhylloError('MANIFEST_INVALID', `${name}: ${reason}`, { mediaType: wrong.mediaType })
}

async function configOf(
  { images }: PullSourceParts,
  { manifest: { config }, repository, name }: PulledManifest,
  signal: AbortSignal,
): Promise<Buffer> {
  const there = await images.get(config.digest as ImageId).catch(() => undefined)
  if (there !== undefined) return there.configBytes
  try {
    return await repository.bytes(config, { signal })
  } catch (error) {
    throw withFacts(error, {}, `${name}: error pulling image configuration`)
  }
}
