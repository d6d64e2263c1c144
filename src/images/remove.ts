/**
 * Removing images: docker rmi, rule for rule (daemon/images/image_delete.go), in a store that others work on at the same time.
 *
 * Invariants:
 * - Names go first, then the config, then the layers: killed at any point, no name is without its image, and no image without its
 *   layers. What is left then is an image without a name, or layers that the next collection takes.
 * - What is decided on references is decided under the root lock, and with it the end of a config: it is set aside, leases and
 *   children are read once more, and only then it is gone. Whoever leased it before looking keeps it.
 * - The image is gone when its config is. Layers that cannot be taken away are a warning.
 */
import type { Root } from '../disk/root.js'
import { PhylloError } from '../errors.js'
import type { LiveRoots } from '../layers/collect.js'
import type { LayerStore } from '../layers/layer-store.js'
import { chainIdsOf } from '../oci/chain-id.js'
import type { ChainId, DiffId, ImageId } from '../oci/digest.js'
import { canonicalRepository, familiarName, parseReference, type Reference, withDefaultTag } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { ImageStore } from './image-store.js'
import type { ReferenceEdit, ReferenceStore } from './reference-store.js'
import {
  busy,
  type Conflict,
  conflictError,
  conflictOf,
  type ImageUse,
  type ImageUser,
  isIdPrefix,
  isSingle,
  nameInUse,
} from './removal-conflict.js'
import { imageNotFound, resolveImage } from './resolve.js'

/** What went: a name, or an image or layer by its digest. */
export type Removed = { readonly untagged: string } | { readonly deleted: ImageId | ChainId }

export interface RemoveOptions {
  /** Also when it has several names, or containers that do not run were made from it. */
  readonly force?: boolean
  /** Also the images without a name that it was built from. Default true. */
  readonly prune?: boolean
}

export interface RemoveParts {
  readonly root: Root
  readonly images: ImageStore
  readonly references: ReferenceStore
  readonly layers: LayerStore
  /** Containers and the images they were made from. */
  readonly users: () => Promise<readonly ImageUser[]>
  /** What containers need; see LiveRoots. */
  readonly containers: () => Promise<LiveRoots>
}

/** Reads what images and containers need, for a collector; a config that was read is not read again. */
export function liveRoots({
  images,
  containers,
}: Pick<RemoveParts, 'images' | 'containers'>): () => Promise<LiveRoots> {
  const known = new Map<ImageId, readonly DiffId[]>()
  return async () => {
    const { stacks, chains = [] } = await containers()
    return { stacks: [...stacks, ...(await images.stacks(known))], chains }
  }
}

/**
 * Takes the name away, and the image when that was its last; an id takes the image with all of its names, if they are one to a
 * person. The answer is what went, in Docker's order.
 *
 * @throws IMAGE_NOT_FOUND, REFERENCE_INVALID, IMAGE_IN_USE
 */
export async function removeImage(
  name: string,
  options: RemoveOptions,
  parts: RemoveParts,
  op: OperationContext,
): Promise<Removed[]> {
  await parts.root.assertAlone()
  const { force = false, prune = true } = options
  const removal = new Removal(parts)
  try {
    let parent = await removal.named(name, force)
    while (prune && parent !== undefined && !op.signal.aborted) parent = await removal.unneeded(parent)
  } finally {
    await removal.collectLayers(op)
  }
  return removal.removed()
}

interface GoneImage {
  readonly id: ImageId
  /** Base first. */
  readonly chain: readonly ChainId[]
}

interface Helped {
  readonly id: ImageId
  readonly force: boolean
  /** Nobody asked for this very image: that it stays is no error, unless it stays for no reason that can be seen. */
  readonly quiet: boolean
}

class Removal {
  readonly #parts: RemoveParts
  readonly #steps: (string | GoneImage)[] = []
  #collected: ReadonlySet<ChainId> = new Set()

  constructor(parts: RemoveParts) {
    this.#parts = parts
  }

  /** Answers with the parent of what was deleted. */
  named(name: string, force: boolean): Promise<ImageId | undefined> {
    return this.#parts.references.edit(async names => {
      const found = await resolveImage(name, this.#parts.images, { get: async reference => names.get(reference) })
      if (found === undefined) throw imageNotFound(name)
      const { id } = found.image
      const use = await this.#useOf(id, names)
      if (isIdPrefix(name, id)) {
        if (isSingle(use.references)) {
          const conflict = conflictOf(use, { force, named: 'ignored' })
          if (conflict !== undefined) throw conflictError(conflict)
          this.#untag(use.references, names)
        }
        return this.#delete({ id, force, quiet: false }, names)
      }
      const inUse = !force && isSingle(use.references) ? nameInUse(name, use) : undefined
      if (inUse !== undefined) throw inUse
      this.#untag(withSiblings(withDefaultTag(parseReference(name)), use.references), names)
      return referencesOf(id, names).length > 0 ? undefined : this.#delete({ id, force, quiet: true }, names)
    })
  }

  /** An image that was needed by what is gone, if nothing else needs it. Answers with its own parent. */
  unneeded(id: ImageId): Promise<ImageId | undefined> {
    return this.#parts.references.edit(names => this.#delete({ id, force: false, quiet: true }, names))
  }

  /** Takes away what the images that are gone had to themselves. */
  async collectLayers(op: OperationContext): Promise<void> {
    const among = new Set(this.#gone().flatMap(({ chain }) => chain))
    if (among.size === 0) return
    try {
      const collected = await op.stage('layers', () =>
        this.#parts.layers.collect({ roots: liveRoots(this.#parts), among }),
      )
      this.#collected = new Set(collected.layers.map(({ chainId }) => chainId))
    } catch (error) {
      if (!(error instanceof PhylloError)) throw error
      const message = `layers of the image are left, for a later collection: ${error.message}`
      op.emit({ type: 'warning', subject: [...among].at(-1)!, message })
    }
  }

  /** In Docker's order: a layer goes with the last of the images that had it. */
  removed(): Removed[] {
    const gone = this.#gone()
    return this.#steps.flatMap((step): Removed[] => {
      if (typeof step === 'string') return [{ untagged: step }]
      const later = new Set(gone.slice(gone.indexOf(step) + 1).flatMap(({ chain }) => chain))
      const layers = step.chain.toReversed().filter(chainId => this.#collected.has(chainId) && !later.has(chainId))
      return [{ deleted: step.id }, ...layers.map(deleted => ({ deleted }))]
    })
  }

  #gone(): GoneImage[] {
    return this.#steps.filter(step => typeof step !== 'string')
  }

  #untag(references: Iterable<Reference>, names: ReferenceEdit): void {
    for (const reference of references) {
      names.remove(reference)
      this.#steps.push(familiarName(reference))
    }
  }

  async #delete({ id, force, quiet }: Helped, names: ReferenceEdit): Promise<ImageId | undefined> {
    const { images } = this.#parts
    const use = await this.#useOf(id, names)
    const conflict = conflictOf(use, { force })
    if (conflict !== undefined) return kept(use, conflict, quiet)
    const image = await images.get(id)
    if (image === undefined) return undefined
    this.#untag(use.references, names)
    await names.save()
    const needed = async () => (await this.#isLeased(id)) || (await images.children(id)).length > 0
    if (!(await images.remove(id, needed))) return kept(use, busy(id), quiet)
    this.#steps.push({ id, chain: chainIdsOf(image.config.diffIds) })
    return image.parent
  }

  async #useOf(id: ImageId, names: ReferenceEdit): Promise<ImageUse> {
    const { images, users } = this.#parts
    return {
      id,
      leased: await this.#isLeased(id),
      references: referencesOf(id, names),
      children: (await images.children(id)).length > 0,
      users: (await users()).filter(({ imageId }) => imageId === id),
    }
  }

  async #isLeased(id: ImageId): Promise<boolean> {
    return (await this.#parts.root.readLeases()).images.has(id)
  }
}

function referencesOf(id: ImageId, names: ReferenceEdit): Reference[] {
  return names
    .list()
    .filter(({ imageId }) => imageId === id)
    .map(({ reference }) => reference)
}

/** With the last tag of a repository go its digests. */
function withSiblings(named: Reference, references: readonly Reference[]): Reference[] {
  if (named.digest !== undefined) return [named]
  const siblings = references.filter(
    other => canonicalRepository(other) === canonicalRepository(named) && familiarName(other) !== familiarName(named),
  )
  return siblings.some(({ digest }) => digest === undefined) ? [named] : [named, ...siblings]
}

/** It stays. Whoever took its last name away is told only if nothing that they can see needs it. */
function kept({ references, children }: ImageUse, conflict: Conflict, quiet: boolean): undefined {
  const dangling = references.length === 0 && !children
  if (!quiet || (dangling && !conflict.used)) throw conflictError(conflict)
}
