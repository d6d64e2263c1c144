/**
 * What jobs read a layer from, as plain tar: bytes of an archive, or the layer of a store. No job itself.
 *
 * Whether it is the layer, only its digest can tell, which whoever writes it has in the end.
 */
import { BlobHash } from '../src/compression/blob-hash.js'
import { decompress } from '../src/compression/compression.js'
import { readRange } from '../src/disk/read-range.js'
import { wholeLayerTar } from '../src/layerfile/layer-tar.js'
import type { Limits } from '../src/limits.js'
import type { DiffId, Digest } from '../src/oci/digest.js'
import type { LayerInput, TarSource } from '../src/pool/jobs.js'
import { verifiedTar } from '../src/tar/verified-tar.js'
import { assembleLayer } from '../src/unpack/assemble-layer.js'
import { verifiedLayer } from '../src/unpack/verified-layer.js'

export interface PlainTarOptions {
  readonly label: string
  readonly limits: Limits
  readonly digestAlgorithm?: 'sha256' | 'sha512' | undefined
  /** Gets the bytes of the input so far. */
  readonly progress: (bytes: number) => void
}

export interface PlainTar {
  /** Each is the consumer's until it asks for the next one. */
  readonly chunks: AsyncIterable<Uint8Array>
  /** Of the bytes as they stand, once all have passed. Undefined: it is that of the tar. */
  digest(): Digest | undefined
}

export function plainTar(source: LayerInput, { label, limits, digestAlgorithm, progress }: PlainTarOptions): PlainTar {
  if ('tar' in source) return { chunks: counted(storedTar(source.tar), progress), digest: () => undefined }
  const blob = new BlobHash(digestAlgorithm)
  const chunks = decompress(blob.tap(readRange(source, label), progress), {
    limits,
    label,
    onSniffed: name => blob.sniffed(name),
  })
  return { chunks, digest: () => blob.digest() }
}

/** The exact tar of a layer. Throws STORE_CORRUPT, naming the file that is damaged, STORE_VERSION and STORE_IO. */
export function storedTar(source: TarSource): AsyncGenerator<Uint8Array, void, void> {
  return 'layerFile' in source ? wholeLayerTar(source.layerFile) : assembleLayer(source)
}

/** The same, proved to be the layer. */
export function layerTar(source: TarSource, diffId: DiffId): AsyncGenerator<Uint8Array, void, void> {
  if (!('layerFile' in source)) return verifiedLayer(source, diffId)
  return verifiedTar(storedTar(source), { diffId, path: source.layerFile })
}

/** Tells how many bytes there are in the chunks so far, each when the next one is asked for. */
export async function* counted<C extends Uint8Array>(
  chunks: AsyncIterable<C>,
  progress: (bytes: number) => void,
): AsyncGenerator<C, void, void> {
  let bytes = 0
  for await (const chunk of chunks) {
    yield chunk
    progress((bytes += chunk.length))
  }
}
