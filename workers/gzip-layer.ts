/** Job: the exact tar of a layer, read from where it is stored and verified, gzipped into a file of a stage. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { compressGzip } from '../src/compression/gzip.js'
import { openLayerTar } from '../src/layerfile/layer-tar.js'
import { chunkBytes } from '../src/limits.js'
import type { DiffId, Digest } from '../src/oci/digest.js'
import { job } from '../src/pool/wire.js'
import { verifiedTar } from '../src/tar/verified-tar.js'
import { verifiedLayer } from '../src/unpack/verified-layer.js'

/** Part of every OCI archive's digests: changing it changes the bytes that a save gives. */
const level = 6

export default job('gzip-layer', async ({ source, diffId, target }, { progress }) => {
  const fd = openSync(target, 'wx', 0o600)
  try {
    const tar = counted(
      'layerFile' in source ? fromFile(source.layerFile, diffId) : verifiedLayer(source, diffId),
      progress,
    )
    const hash = createHash('sha256')
    let sizeBytes = 0
    for await (const chunk of compressGzip(tar, { level })) {
      hash.update(chunk)
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
      sizeBytes += chunk.length
    }
    return { digest: `sha256:${hash.digest('hex')}` as Digest, sizeBytes }
  } finally {
    closeSync(fd)
  }
})

function fromFile(path: string, diffId: DiffId): AsyncIterable<Uint8Array> {
  return verifiedTar(partsOf(path), { diffId, path })
}

async function* partsOf(path: string): AsyncGenerator<Uint8Array, void, void> {
  const tar = await openLayerTar(path)
  try {
    for (const { bytes } of tar.parts(0, tar.tarBytes, Buffer.allocUnsafeSlow(chunkBytes))) yield bytes
  } finally {
    tar.close()
  }
}

async function* counted(chunks: AsyncIterable<Uint8Array>, progress: (bytes: number) => void) {
  let bytes = 0
  for await (const chunk of chunks) {
    progress((bytes += chunk.length))
    yield chunk
  }
}
