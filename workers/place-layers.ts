/**
 * Job: tars of layers, read from where they are stored and verified, written to their places in an archive: out of layer files block
 * by block, out of unpacked layers each as a whole. Several of these jobs work on the same list, and each takes the next piece as long
 * as there is one.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { finishing } from '../src/endings.js'
import { PhylloError, told } from '../src/errors.js'
import { BlockCache } from '../src/layerfile/block-cache.js'
import { type LayerTar, openLayerTar } from '../src/layerfile/layer-tar.js'
import { blockBytes, KiB } from '../src/limits.js'
import type { PlaceLayersInput } from '../src/pool/jobs.js'
import { job } from '../src/pool/wire.js'
import type { SplitLayer } from '../src/unpack/assemble-layer.js'
import { verifiedLayer } from '../src/unpack/verified-layer.js'

/** Bytes of one write: together with what is read for them they stay in the processor's cache. */
const partBytes = Math.max(blockBytes, 512 * KiB)

type PlacedLayer = PlaceLayersInput['layers'][number]

export default job('place-layers', async ({ target, layers, pieceBytes, counts }, { progress }) => {
  const fd = openTarget(target)
  const files = new LayerFiles()
  const placed = new BigInt64Array(counts)
  let bytes = 0
  const place = async () => {
    for (const { index, from, to } of takePieces(layers, pieceBytes, placed)) {
      const layer = layers[index]!
      const { source } = layer
      const parts = 'layerFile' in source ? files.parts(source.layerFile, layer, from, to) : wholeTar(source, layer)
      for await (const part of parts) {
        writeAt(fd, part.bytes, layer.position + part.offset, target)
        Atomics.add(placed, index, BigInt(part.bytes.length))
        progress((bytes += part.bytes.length))
      }
    }
  }
  const close = () => {
    files.close()
    writing(target, () => closeSync(fd))
  }
  await finishing(place, close)
  return { bytes }
})

/** The pieces of all layers, those that nobody else has taken. A layer that is one piece comes first, and the larger one of two. */
function* takePieces(layers: readonly PlacedLayer[], pieceBytes: number, placed: BigInt64Array) {
  const isWhole = ({ source }: PlacedLayer) => !('layerFile' in source)
  const size = (layer: PlacedLayer) => (isWhole(layer) ? layer.tarBytes : 0)
  let mine = Atomics.add(placed, layers.length, 1n)
  let piece = 0n
  for (const [index, layer] of [...layers.entries()].sort(([, a], [, b]) => size(b) - size(a))) {
    const step = isWhole(layer) ? Number.POSITIVE_INFINITY : pieceBytes
    for (let from = 0; from < layer.tarBytes; from += step) {
      if (piece++ !== mine) continue
      yield { index, from, to: Math.min(from + step, layer.tarBytes) }
      mine = Atomics.add(placed, layers.length, 1n)
    }
  }
}

interface Part {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** The layer file that the last piece was of stays open. */
class LayerFiles {
  readonly #cache = new BlockCache()
  readonly #buffer = Buffer.allocUnsafeSlow(partBytes)
  #open: { readonly layer: PlacedLayer; readonly tar: LayerTar } | undefined

  async *parts(path: string, layer: PlacedLayer, from: number, to: number): AsyncGenerator<Part, void, void> {
    if (this.#open?.layer !== layer) {
      this.close()
      this.#open = { layer, tar: await openSame(path, layer, this.#cache) }
    }
    yield* this.#open.tar.parts(from, to, this.#buffer)
  }

  close(): void {
    this.#open?.tar.close()
    this.#open = undefined
  }
}

/** Never a byte more than its place has. */
async function* wholeTar(source: SplitLayer, { diffId, tarBytes }: PlacedLayer): AsyncGenerator<Part, void, void> {
  const path = source.tarSplit
  let offset = 0
  for await (const bytes of verifiedLayer(source, diffId)) {
    if (offset + bytes.length > tarBytes)
      throw new PhylloError('STORE_CORRUPT', `${path}: holds more than the ${tarBytes} bytes of layer ${diffId}`, {
        path,
      })
    yield { offset, bytes }
    offset += bytes.length
  }
}

async function openSame(layerFile: string, { diffId, tarBytes }: PlacedLayer, cache: BlockCache): Promise<LayerTar> {
  const tar = await openLayerTar(layerFile, cache)
  if (tar.diffId === diffId && tar.tarBytes === tarBytes) return tar
  tar.close()
  const facts = { path: layerFile, expected: diffId, actual: tar.diffId }
  throw new PhylloError('STORE_CORRUPT', `${layerFile}: holds layer ${tar.diffId}, not ${diffId}`, facts)
}

function openTarget(path: string): number {
  return writing(path, () => openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW))
}

function writeAt(fd: number, bytes: Uint8Array, position: number, path: string): void {
  writing(path, () => {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
  })
}

function writing<T>(path: string, call: () => T): T {
  return told('OUTPUT_IO', { path, said: 'the output cannot be written' }, call)
}
