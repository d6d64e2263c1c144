/**
 * From registry to registry: manifests and indexes byte for byte, blobs mounted where both are on one registry, and else
 * streamed from one to the other, through memory alone. What is referred to goes before what refers, the tag last.
 */
import { PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import type { Digest } from '../oci/digest.js'
import type { ImageIndex } from '../oci/index-manifest.js'
import type { ImageManifest } from '../oci/manifest.js'
import { parsePlatform } from '../oci/platform.js'
import { canonicalName, familiarName, parseReference, type Reference, withDefaultTag } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { RegistryClient } from '../registry/client.js'
import { canonicalHost } from '../registry/host.js'
import type { Announced, Fetched } from '../registry/manifests.js'
import type { Repository } from '../registry/repository.js'
import { BlobCopy } from './copy-blobs.js'

export interface CopyRemoteOptions {
  /** `os/architecture[/variant]`: of an index that image alone. Default: the index with all that is in it. */
  readonly platform?: string
  /** Copies what refers to the manifests, too: signatures, SBOMs. Default false. */
  readonly referrers?: boolean
  readonly signal?: AbortSignal
}

export interface CopiedRemote {
  /** Of the manifest or index that the name now stands for: the one that it has at the source. */
  readonly digest: Digest
  readonly mediaType: string
  /** Of that document. */
  readonly sizeBytes: number
  /** Manifests and indexes that were sent, that one among them. */
  readonly manifests: number
  /** Taken over within the registry. */
  readonly bytesMounted: number
  /** There already. */
  readonly bytesExisting: number
  /** Through this process. */
  readonly bytesStreamed: number
}

/** @throws REFERENCE_INVALID, PLATFORM_NOT_FOUND, DIGEST_MISMATCH, SIZE_MISMATCH, LIMIT_EXCEEDED, REGISTRY_ codes */
export async function copyRemote(
  fromText: string,
  toText: string,
  { platform, referrers = false }: CopyRemoteOptions,
  { client, limits }: { readonly client: RegistryClient; readonly limits: Limits },
  op: OperationContext,
): Promise<CopiedRemote> {
  const [from, to] = [withDefaultTag(parseReference(fromText)), withDefaultTag(parseReference(toText))]
  const [source, target] = [client.repository(from), client.repository(to)]
  const blobs = new BlobCopy({ from: source, to: target, mountFrom: mountable(from, to) }, op)
  const copy = new TreeCopy({ source, target, blobs, limits, referrers }, op)
  const { signal } = op
  const wanted = from.digest ?? from.tag!
  const top: Fetched =
    platform === undefined
      ? await source.manifest(wanted, { signal })
      : await source.image(wanted, { platform: parsePlatform(platform), signal })
  if (to.digest !== undefined && to.digest !== top.digest) throw otherDigest(to, top.digest)
  await copy.contents(top, 1)
  await copy.put(top, to.tag)
  op.emit({ type: 'tag', subject: familiarName(to), message: `Copied image: ${familiarName(to)}` })
  const { mediaType } = top.document
  return { digest: top.digest, mediaType, sizeBytes: top.bytes.length, manifests: copy.sent, ...blobs.bytes }
}

/** Where the target may take blobs from: a path of the same registry. */
function mountable(from: Reference, to: Reference): string | undefined {
  return canonicalHost(from.domain) === canonicalHost(to.domain) ? from.path : undefined
}

function otherDigest(to: Reference, digest: Digest): PhylloError {
  const message = `${canonicalName(to)}: what is to be copied has the digest ${digest}`
  return new PhylloError('DIGEST_MISMATCH', message, { expected: to.digest, seen: digest })
}

interface Trees {
  readonly source: Repository
  readonly target: Repository
  readonly blobs: BlobCopy
  readonly limits: Limits
  readonly referrers: boolean
}

/** Goes through an index in depth, so that at most one document of each level is in memory. */
class TreeCopy {
  readonly #trees: Trees
  readonly #op: OperationContext
  readonly #seen = new Set<Digest>()
  sent = 0

  constructor(trees: Trees, op: OperationContext) {
    this.#trees = trees
    this.#op = op
  }

  /** All that a document needs to be put, and what refers to it. */
  async contents(fetched: Fetched, depth: number): Promise<void> {
    const { source, blobs, limits, referrers } = this.#trees
    const { signal } = this.#op
    const what = `${source.name}@${fetched.digest}`
    if (depth > limits.indexDepth) throw limitError('indexDepth', limits.indexDepth, depth, what)
    this.#seen.add(fetched.digest)
    if (this.#seen.size > limits.archiveMembers)
      throw limitError('archiveMembers', limits.archiveMembers, this.#seen.size, what)
    if (isIndex(fetched)) for (const child of fetched.document.manifests) await this.#whole(child, depth + 1)
    else await blobs.copy(fetched.document as ImageManifest)
    if (!referrers) return
    for (const referrer of await source.referrers(fetched.digest, { signal })) await this.#whole(referrer, depth + 1)
  }

  /** Under the tag, or under its digest alone. */
  async put({ bytes, digest, document }: Fetched, tag?: string): Promise<void> {
    const { signal } = this.#op
    const put = await this.#trees.target.put(bytes, document.mediaType, { signal, ...(tag !== undefined && { tag }) })
    this.sent++
    this.#op.emit({ type: 'image', subject: put.digest, message: 'Copied manifest' })
    // Another algorithm than the one that it is known by there: nobody would find it.
    if (put.digest !== digest)
      throw new PhylloError('DIGEST_MISMATCH', `${digest} is stored as ${put.digest}`, {
        expected: digest,
        seen: put.digest,
      })
  }

  async #whole(child: Announced, depth: number): Promise<void> {
    if (this.#seen.has(child.digest)) return
    const fetched = await this.#trees.source.manifest(child, { signal: this.#op.signal })
    await this.contents(fetched, depth)
    await this.put(fetched)
  }
}

function isIndex(fetched: Fetched): fetched is Fetched<ImageIndex> {
  return fetched.document.kind === 'index'
}
