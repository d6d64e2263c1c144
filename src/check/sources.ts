/** What a store can be healed with: an archive that the user gives, and what else the store itself has. */

import { ifThere } from '../disk/io.js'
import type { SourceImage } from '../images/source.js'
import { chainIdsOf } from '../oci/chain-id.js'
import type { DiffId, Digest, ImageId } from '../oci/digest.js'
import { isDigest } from '../oci/digest.js'
import { familiarName } from '../oci/reference.js'
import type { LayerInput } from '../pool/jobs.js'
import type { StoreParts } from '../store-parts.js'
import type { Survey } from './survey.js'

const digestBytes = 4096

/** What a layer is, by the chain that it ends. */
export interface Place {
  readonly diffId: DiffId
  readonly parent: string | undefined
}

export class Sources {
  readonly #parts: StoreParts
  readonly #images: readonly SourceImage[]

  /** `images`: of the archive, if there is one. */
  constructor(parts: StoreParts, images: readonly SourceImage[]) {
    this.#parts = parts
    this.#images = images
  }

  config(id: ImageId, survey: Survey): Buffer | undefined {
    const container = survey.containers.find(({ imageId }) => imageId === id)
    return container?.configBytes ?? this.#images.find(({ imageId }) => imageId === id)?.config
  }

  parentOf(id: ImageId): ImageId | undefined {
    return this.#images.find(({ imageId }) => imageId === id)?.parent
  }

  /** Familiar names of the archive, with what they name. */
  names(): Map<string, ImageId> {
    return new Map(
      this.#images.flatMap(({ imageId, references }) =>
        references.map(reference => [familiarName(reference), imageId]),
      ),
    )
  }

  /** What every chain is that an image or container of the store, or an image of the archive has. */
  places(survey: Survey): Map<string, Place> {
    const stacks = [
      ...[...survey.images.values(), ...survey.containers].map(({ config }) => config?.diffIds ?? []),
      ...this.#images.map(({ layers }) => layers.map(({ diffId }) => diffId)),
    ]
    const places = new Map<string, Place>()
    for (const stack of stacks) {
      const chain = chainIdsOf(stack)
      for (const [at, chainId] of chain.entries()) places.set(chainId, { diffId: stack[at]!, parent: chain[at - 1] })
    }
    return places
  }

  /** Where the tar of a layer may be read, the nearest first. */
  async *tars(diffId: DiffId, survey: Survey, except: string): AsyncGenerator<LayerInput, void, void> {
    const { driver } = this.#parts.layers
    for (const record of survey.layers.values()) {
      if (record.diffId !== diffId || record.cacheId === except) continue
      yield { tar: driver.sourceOf(record), sizeBytes: record.sizeBytes }
    }
    yield* this.#blobs(diffId)
    for (const { layers } of this.#images)
      for (const { diffId: id, range, stored } of layers) {
        const input = id === diffId ? (range ?? (await stored?.tar())) : undefined
        if (input !== undefined) yield input
      }
  }

  async *#blobs(diffId: DiffId): AsyncGenerator<LayerInput, void, void> {
    const { io, paths } = this.#parts.root
    const directory = paths.below(paths.blobs, 'sha256')
    for (const name of (await ifThere(io.readdir(directory))) ?? []) {
      const digest: unknown = `sha256:${name}`
      if (!isDigest(digest)) continue
      const of = await ifThere(io.readFile(paths.diffIdByDigest(digest as Digest), digestBytes))
      if (digest !== diffId && of?.toString().trim() !== diffId) continue
      const path = paths.blob(digest)
      yield { path, offset: 0, sizeBytes: (await io.status(path)).sizeBytes }
    }
  }
}
