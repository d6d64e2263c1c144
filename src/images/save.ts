/** The way out of a store: the images that words mean, their layers open for as long as a target writes them. */
import type { LayerTar } from '../drivers/layer.js'
import { type OpenLayers, releaseAll, type TarHandle } from '../layers/open-layers.js'
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
export async function saveImages(words: readonly string[], from: SaveSource, target: ImageTarget): Promise<void> {
  await using leased = await selectLeased(words, from)
  const handles: TarHandle[] = []
  try {
    const stored: StoredImage[] = []
    for (const item of leased.selected) stored.push(await openImage(item, from, handles))
    await target.write(stored)
  } finally {
    await releaseAll(handles)
  }
}

async function openImage(
  { image, references }: Selected,
  from: SaveSource,
  handles: TarHandle[],
): Promise<StoredImage> {
  const layers: LayerTar[] = []
  for (const record of await from.layers.chainOf(image.config.diffIds)) {
    const handle = await from.open.acquireTar(record)
    handles.push(handle)
    layers.push(handle.tar)
  }
  return {
    imageId: image.id,
    config: image.configBytes,
    references,
    ...(image.parent && { parent: image.parent }),
    layers,
  }
}
