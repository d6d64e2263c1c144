/** The history of an image with all that a store knows of it: which images ended with which step, and their names. */
import type { ImageId } from '../oci/digest.js'
import type { HistoryItem, Image } from './image.js'

/**
 * Newest first: the image stands beside its newest step, what it was built from beside the one before, and so on, as far as the
 * images are there (facts: docker-store 9.4).
 */
export async function historyOf(
  image: Image,
  find: (id: ImageId) => Promise<Image | undefined>,
): Promise<HistoryItem[]> {
  const items = image.history()
  const known: HistoryItem[] = []
  for (let at: Image | undefined = image; at !== undefined && known.length < items.length; ) {
    known.push({ ...items[known.length]!, id: at.id, tags: at.tags })
    at = at.parent && (await find(at.parent))
  }
  return [...known, ...items.slice(known.length)]
}
