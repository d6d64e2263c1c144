/** Which images, with which references, the words of a `save` or a copy mean: Docker's rules (docker save, tarexport). */
import type { LayerStore } from '../layers/layer-store.js'
import { familiarRepository, parseReference, type Reference, withDefaultTag } from '../oci/reference.js'
import type { ImageRecord, ImageStore } from './image-store.js'
import type { ReferenceStore } from './reference-store.js'
import { fullId, imageNotFound, resolveImage } from './resolve.js'

export interface Selected {
  readonly image: ImageRecord
  /** References with a tag, to be written beside it. */
  readonly references: Reference[]
}

export interface SelectSource {
  readonly layers: LayerStore
  readonly images: ImageStore
  readonly references: ReferenceStore
}

/** A lease keeps them until this is disposed of. */
export interface Leased extends AsyncDisposable {
  readonly selected: readonly Selected[]
}

/** @throws IMAGE_NOT_FOUND */
export async function selectLeased(
  words: readonly string[],
  { layers, images, references }: SelectSource,
): Promise<Leased> {
  const selected = await selectImages(words, images, references)
  const lease = await layers.lease({
    stacks: selected.map(({ image }) => image.config.diffIds),
    images: selected.map(({ image }) => image.id),
  })
  try {
    // Selected before the lease stood: so look again.
    for (const { image } of selected) if (!(await images.has(image.id))) throw imageNotFound(image.id)
  } catch (error) {
    await lease.release()
    throw error
  }
  return { selected, [Symbol.asyncDispose]: () => lease.release() }
}

/**
 * One item an image, in the order of first mention: an id brings no reference, `repo:tag` itself, `repo` all of its
 * tags, `repo@digest` none.
 *
 * @throws IMAGE_NOT_FOUND
 */
export async function selectImages(
  words: readonly string[],
  images: ImageStore,
  references: ReferenceStore,
): Promise<Selected[]> {
  const selected = new Map<string, Selected>()
  const add = (image: ImageRecord, reference?: Reference) => {
    const item = selected.get(image.id) ?? { image, references: [] }
    selected.set(image.id, item)
    const known = item.references.some(({ domain, path, tag }) => {
      return domain === reference?.domain && path === reference.path && tag === reference.tag
    })
    if (reference?.tag !== undefined && !known) item.references.push(reference)
  }
  for (const word of words) {
    const wholeRepository = await tagsOf(word, references)
    for (const { reference, imageId } of wholeRepository) {
      const image = await images.get(imageId)
      if (image !== undefined) add(image, reference)
    }
    if (wholeRepository.length > 0) continue
    const found = await resolveImage(word, images, references)
    if (found === undefined) throw imageNotFound(word)
    const { image, reference } = found
    add(image, reference?.digest === undefined && reference !== undefined ? withDefaultTag(reference) : undefined)
  }
  return [...selected.values()]
}

/** Every tag of a repository that was named without one. */
async function tagsOf(word: string, references: ReferenceStore) {
  if (fullId(word) !== undefined) return []
  const { tag, digest, ...repository } = parseReference(word)
  if (tag !== undefined || digest !== undefined) return []
  const name = familiarRepository(repository)
  const all = await references.list()
  return all.filter(({ reference }) => reference.tag !== undefined && familiarRepository(reference) === name)
}
