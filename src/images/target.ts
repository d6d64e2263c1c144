/** Where images go to: an archive, later a registry. The target decides how it takes a layer; the store opens it. */

import type { LayerTar } from '../drivers/layer.js'
import type { ImageId } from '../oci/digest.js'
import type { Reference } from '../oci/reference.js'

export interface StoredImage {
  readonly imageId: ImageId
  readonly config: Buffer
  /** References to write beside the image; empty for an image asked for by id. */
  readonly references: readonly Reference[]
  readonly parent?: ImageId
  /** The exact tars, base first; open for as long as the target writes. */
  readonly layers: readonly LayerTar[]
}

export interface ImageTarget {
  /** About so many bytes of layers are coming: what can be made ready meanwhile may be. */
  expect?(bytes: number): void
  /** Writes all images; the target closes itself. Reproducible: the same images give the same bytes. */
  write(images: readonly StoredImage[]): Promise<void>
}
