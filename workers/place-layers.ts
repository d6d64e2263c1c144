/**
 * Job: tars of layers, read from their layer files and verified block by block, written to their places in an archive.
 * Several of these jobs work on the same list, and each takes the next piece as long as there is one.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { PhylloError } from '../src/errors.js'
import { BlockCache } from '../src/layerfile/block-cache.js'
import { type LayerTar, openLayerTar } from '../src/layerfile/layer-tar.js'
import { blockBytes, KiB } from '../src/limits.js'
import type { PlaceLayersInput } from '../src/pool/jobs.js'
import { job } from '../src/pool/wire.js'

/** Bytes of one write: together with what is read for them they stay in the processor's cache. */
const partBytes = Math.max(blockBytes, 512 * KiB)

type PlacedLayer = PlaceLayersInput['layers'][number]

export default job('place-layers', async ({ target, layers, pieceBytes, counts }, { progress }) => {
  const fd = openTarget(target)
  const placed = new BigInt64Array(counts)
  const cache = new BlockCache()
  const buffer = Buffer.allocUnsafeSlow(partBytes)
  let open: { readonly index: number; readonly tar: LayerTar } | undefined
  let bytes = 0
  try {
    for (const { index, from, to } of takePieces(layers, pieceBytes, placed)) {
      const layer = layers[index]!
      if (open?.index !== index) {
        open?.tar.close()
        open = undefined
        open = { index, tar: await openSame(layer, cache) }
      }
      for (const part of open.tar.parts(from, to, buffer)) {
        writeAt(fd, part.bytes, layer.position + part.offset, target)
        Atomics.add(placed, index, BigInt(part.bytes.length))
        progress((bytes += part.bytes.length))
      }
    }
    return { bytes }
  } finally {
    open?.tar.close()
    closeSync(fd)
  }
})

/** The pieces of all layers in their order, those that nobody else has taken. */
function* takePieces(layers: readonly PlacedLayer[], pieceBytes: number, placed: BigInt64Array) {
  let mine = Atomics.add(placed, layers.length, 1n)
  let piece = 0n
  for (const [index, { tarBytes }] of layers.entries())
    for (let from = 0; from < tarBytes; from += pieceBytes) {
      if (piece++ !== mine) continue
      yield { index, from, to: Math.min(from + pieceBytes, tarBytes) }
      mine = Atomics.add(placed, layers.length, 1n)
    }
}

async function openSame({ layerFile, diffId, tarBytes }: PlacedLayer, cache: BlockCache): Promise<LayerTar> {
  const tar = await openLayerTar(layerFile, cache)
  if (tar.diffId === diffId && tar.tarBytes === tarBytes) return tar
  tar.close()
  const facts = { path: layerFile, expected: diffId, actual: tar.diffId }
  throw new PhylloError('STORE_CORRUPT', `${layerFile}: holds layer ${tar.diffId}, not ${diffId}`, facts)
}

function openTarget(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW)
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

function writeAt(fd: number, bytes: Uint8Array, position: number, path: string): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

function unwritable(path: string, cause: unknown): PhylloError {
  return new PhylloError('OUTPUT_IO', `the output cannot be written: ${(cause as Error).message}`, { path, cause })
}
