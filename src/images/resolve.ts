/** What a user typed, as an image of the store: Docker's order (a full id, then a name, then the beginning of an id). */
import { PhylloError } from '../errors.js'
import { type ImageId, isDigest } from '../oci/digest.js'
import { familiarName, parseReference, type Reference, withDefaultTag } from '../oci/reference.js'
import type { ImageRecord, ImageStore } from './image-store.js'
import type { ReferenceStore } from './reference-store.js'

export interface Resolved {
  readonly image: ImageRecord
  /** The reference by which it was found, with its tag written out; undefined for an id. */
  readonly reference: Reference | undefined
}

/** @throws REFERENCE_INVALID for text that can be neither a name nor an id */
export async function resolveImage(
  text: string,
  images: Pick<ImageStore, 'get' | 'search'>,
  references: Pick<ReferenceStore, 'get'>,
): Promise<Resolved | undefined> {
  const full = fullId(text)
  if (full !== undefined) return found(await images.get(full), undefined)
  const reference = withDefaultTag(parseReference(text))
  const named = await references.get(reference)
  const image = named && (await images.get(named))
  if (image !== undefined) return { image, reference }
  const [only, ...others] = await images.search(text)
  return only === undefined || others.length > 0 ? undefined : found(await images.get(only), undefined)
}

/** The image, or Docker's words that there is none. */
export function imageNotFound(text: string): PhylloError {
  const shown = fullId(text) === undefined ? familiarName(withDefaultTag(parseReference(text))) : text
  return new PhylloError('IMAGE_NOT_FOUND', `No such image: ${shown}`, { reference: text })
}

export function fullId(text: string): ImageId | undefined {
  const id = text.startsWith('sha256:') ? text : `sha256:${text}`
  return isDigest(id) ? (id as ImageId) : undefined
}

function found(image: ImageRecord | undefined, reference: Reference | undefined): Resolved | undefined {
  return image && { image, reference }
}
