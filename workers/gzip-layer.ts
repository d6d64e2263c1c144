/** Job: the exact tar of a layer, read from where it is stored and verified, gzipped into a file of a stage. */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { compressGzip } from '../src/compression/gzip.js'
import { withNewFile } from '../src/disk/descriptors.js'
import { told } from '../src/errors.js'
import type { Digest } from '../src/oci/digest.js'
import { job } from '../src/pool/wire.js'
import { counted, layerTar } from './layer-input.js'

/** Part of every OCI archive's digests: changing it changes the bytes that a save gives. */
const level = 6

export default job('gzip-layer', async ({ source, diffId, target }, { progress }) => {
  return withNewFile(target, 0o600, async fd => {
    const tar = counted(layerTar(source, diffId), progress)
    const hash = createHash('sha256')
    let sizeBytes = 0
    for await (const chunk of compressGzip(tar, { level })) {
      hash.update(chunk)
      told('STORE_IO', { operation: 'write', path: target }, () => {
        for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
      })
      sizeBytes += chunk.length
    }
    return { digest: `sha256:${hash.digest('hex')}` as Digest, sizeBytes }
  })
})
