/** The way out of a store: the images that words mean, their layers open for as long as a target writes them. */
import type { TarOptions } from '../drivers/driver.js'
import { type OpenLayers, releaseAll, type TarHandle } from '../layers/open-layers.js'
import type { LayerRecord } from '../layers/record.js'
import { type Selected, type SelectSource, selectLeased } from './select.js'
import type { ImageTarget, StoredImage } from './target.js'

export interface SaveSource extends SelectSource {
  readonly open: OpenLayers
}

/**
 * Writes the images that these words mean into the target.
 *
 * @throws IMAGE_NOT_FOUND, STORE_CORRUPT, and what the target throws
 */
export async function saveImages(
  words: readonly string[],
  from: SaveSource,
  target: ImageTarget,
  options?: TarOptions,
): Promise<void> {
  await using leased = await selectLeased(words, from)
  const chains: LayerRecord[][] = []
  for (const { image } of leased.selected) chains.push(await from.layers.chainOf(image.config.diffIds))
  target.expect?.(chains.flat().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
  const handles: TarHandle[] = []
  try {
    const stored: StoredImage[] = []
    for (const [at, item] of leased.selected.entries()) {
      const opened = await from.open.acquireTars(chains[at]!, options)
      handles.push(...opened)
      stored.push(storedImage(item, opened))
    }
    await target.write(stored)
  } finally {
    await releaseAll(handles)
  }
}

function storedImage({ image, references }: Selected, opened: readonly TarHandle[]): StoredImage {
  return {
    imageId: image.id,
    config: image.configBytes,
    references,
    ...(image.parent && { parent: image.parent }),
    layers: opened.map(({ tar }) => tar),
  }
}
