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
import { canonicalName, familiarName, parseReference, type Reference, withDefaultTag } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { ImageRecord, ImageStore } from './image-store.js'
import type { ReferenceEdit, ReferenceStore } from './reference-store.js'
import {
  busy,
  conflictError,
  conflictOf,
  type ImageUse,
  type ImageUser,
  isIdPrefix,
  isSingle,
  kept,
  nameInUse,
  withSiblings,
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

interface NamedImage {
  readonly id: ImageId
  /** The words that were used, for messages. */
  readonly name: string
  readonly reference: Reference
  readonly force: boolean
}

interface Helped {
  readonly id: ImageId
  readonly force: boolean
  /** Nobody asked for this very image: that it stays is no error, unless it stays for no reason that can be seen. */
  readonly quiet: boolean
}

/** Of an image as it stands, with what is known of it at that moment. */
export type IsUnwanted = (image: ImageRecord, use: ImageUse) => boolean

/** Others wait for the root lock meanwhile. */
const longestHoldMs = 100

/** What one removal has taken away so far. */
export class Removal {
  readonly #parts: RemoveParts
  readonly #steps: (string | GoneImage)[] = []
  /** Docker's sizes of the layers that are gone. */
  #collected: ReadonlyMap<ChainId, number> = new Map()
  #users: readonly ImageUser[] | undefined

  constructor(parts: RemoveParts) {
    this.#parts = parts
  }

  /** Answers with the parent of what was deleted. */
  named(name: string, force: boolean): Promise<ImageId | undefined> {
    return this.#decide(async names => {
      const found = await resolveImage(name, this.#parts.images, { get: async reference => names.get(reference) })
      if (found === undefined) throw imageNotFound(name)
      const { id } = found.image
      if (isIdPrefix(name, id)) return this.#byId(id, force, names)
      return this.#byReference({ id, name, reference: withDefaultTag(parseReference(name)), force }, names)
    })
  }

  /** An image that was needed by what is gone, if nothing else needs it. Answers with its own parent. */
  unneeded(id: ImageId): Promise<ImageId | undefined> {
    return this.#decide(names => this.#delete({ id, force: false, quiet: true }, names))
  }

  /**
   * Those of the images that nobody wants, with all of their names and whatever they alone were built from, as far as nothing
   * speaks against it. Others get at the references every now and then.
   */
  async unwanted(ids: readonly ImageId[], isUnwanted: IsUnwanted, signal: AbortSignal): Promise<void> {
    const left = [...ids]
    while (left.length > 0 && !signal.aborted)
      await this.#decide(async names => {
        const end = performance.now() + longestHoldMs
        while (left.length > 0 && !signal.aborted && performance.now() < end)
          await this.#ifUnwanted(left.shift()!, isUnwanted, names)
      })
  }

  /** Takes away what the images that are gone had to themselves. */
  async collectLayers(op: OperationContext): Promise<void> {
    const among = new Set(this.#gone().flatMap(({ chain }) => chain))
    if (among.size === 0) return
    try {
      const collected = await op.stage('layers', () =>
        this.#parts.layers.collect({ roots: liveRoots(this.#parts), among }),
      )
      this.#collected = new Map(collected.layers.map(({ chainId, record }) => [chainId, record?.sizeBytes ?? 0]))
    } catch (error) {
      if (!(error instanceof PhylloError)) throw error
      const message = `layers of the image are left, for a later collection: ${error.message}`
      op.emit({ type: 'warning', subject: [...among].at(-1)!, message })
    }
  }

  /** Bytes, as Docker counts them: the sizes of the layers that are gone. */
  get reclaimedBytes(): number {
    return [...this.#collected.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0)
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

  /** What users of images are is asked once: while this is decided none is made. */
  #decide<T>(work: (names: ReferenceEdit) => Promise<T>): Promise<T> {
    return this.#parts.references.freeing.edit(async names => {
      this.#users = undefined
      return work(names)
    })
  }

  async #ifUnwanted(id: ImageId, isUnwanted: IsUnwanted, names: ReferenceEdit): Promise<void> {
    const image = await this.#parts.images.get(id)
    if (image === undefined) return
    const use = await this.#useOf(id, names)
    if (!isUnwanted(image, use)) return
    try {
      let parent = use.references.length === 0 ? await this.#byId(id, false, names) : undefined
      // It may have gone with another one.
      for (const reference of use.references)
        if (names.get(reference) === id)
          parent = await this.#byReference({ id, name: canonicalName(reference), reference, force: false }, names)
      while (parent !== undefined) parent = await this.#delete({ id: parent, force: false, quiet: true }, names)
    } catch (error) {
      if (!(error instanceof PhylloError && error.code === 'IMAGE_IN_USE')) throw error
    }
  }

  async #byId(id: ImageId, force: boolean, names: ReferenceEdit): Promise<ImageId | undefined> {
    const use = await this.#useOf(id, names)
    if (isSingle(use.references)) {
      const conflict = conflictOf(use, { force, named: 'ignored' })
      if (conflict !== undefined) throw conflictError(conflict)
      this.#untag(use.references, names)
    }
    return this.#delete({ id, force, quiet: false }, names)
  }

  async #byReference({ id, name, reference, force }: NamedImage, names: ReferenceEdit): Promise<ImageId | undefined> {
    const use = await this.#useOf(id, names)
    const inUse = !force && isSingle(use.references) ? nameInUse(name, use) : undefined
    if (inUse !== undefined) throw inUse
    this.#untag(withSiblings(reference, use.references), names)
    return referencesOf(id, names).length > 0 ? undefined : this.#delete({ id, force, quiet: true }, names)
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
    this.#users ??= await users()
    return {
      id,
      leased: await this.#isLeased(id),
      references: referencesOf(id, names),
      children: (await images.children(id)).length > 0,
      users: this.#users.filter(({ imageId }) => imageId === id),
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
