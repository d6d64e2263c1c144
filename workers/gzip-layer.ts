/** Job: the exact tar of a layer, read from its layer file and verified, gzipped into a file of a stage. */
import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { compressGzip } from '../src/compression/gzip.js'
import { PhylloError } from '../src/errors.js'
import { openLayerFile } from '../src/layerfile/reader.js'
import { chunkBytes } from '../src/limits.js'
import type { DiffId, Digest } from '../src/oci/digest.js'
import { job } from '../src/pool/wire.js'

/** Part of every OCI archive's digests: changing it changes the bytes that a save gives. */
const level = 6

export default job('gzip-layer', async ({ layerFile, diffId, target }, { progress }) => {
  const file = await openLayerFile(layerFile)
  const fd = openSync(target, 'wx', 0o600)
  try {
    const hash = createHash('sha256')
    let sizeBytes = 0
    for await (const chunk of compressGzip(verifiedTar(file, diffId, progress), { level })) {
      hash.update(chunk)
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
      sizeBytes += chunk.length
    }
    return { digest: `sha256:${hash.digest('hex')}` as Digest, sizeBytes }
  } finally {
    closeSync(fd)
    await file.close()
  }
})

type LayerFile = Awaited<ReturnType<typeof openLayerFile>>

/** Fails before its end when the bytes are not the layer. */
async function* verifiedTar(
  file: LayerFile,
  diffId: DiffId,
  progress: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  for (let at = 0; at < file.tarBytes; ) {
    const chunk = buffer.subarray(0, await file.readTar(at, buffer))
    hash.update(chunk)
    at += chunk.length
    progress(at)
    yield chunk
  }
  const actual = `sha256:${hash.digest('hex')}`
  if (actual !== diffId)
    throw new PhylloError('STORE_CORRUPT', `layer ${diffId}: its file holds ${actual}`, { expected: diffId, actual })
}
