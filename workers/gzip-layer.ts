/**
 * Job: the exact tar of a layer, read from where it is stored and verified, gzipped into a file of a stage; other threads
 * may help with that, in the memory that both share.
 */
import { GzipStream } from '../src/compression/parallel-gzip.js'
import { withNewFile } from '../src/disk/descriptors.js'
import { writeAllSync } from '../src/layerfile/file-io.js'
import { job } from '../src/pool/wire.js'
import { counted, layerTar } from './layer-input.js'

/** Part of every OCI archive's digests, as the size of the chunks is: changing it changes the bytes that a save gives. */
const level = 6

export default job('gzip-layer', async ({ source, diffId, target, growing }, { progress, memory }) => {
  return withNewFile(target, 0o600, async fd => {
    const tar = counted(layerTar(source, diffId), progress)
    const gzip = new GzipStream(tar, { level, ...(memory && { ring: memory }) })
    const there = growing && new BigInt64Array(growing)
    let position = 0
    for await (const chunk of gzip) {
      writeAllSync(fd, [chunk], position, target)
      position += chunk.length
      if (there === undefined) continue
      Atomics.store(there, 0, BigInt(position))
      Atomics.notify(there, 0)
    }
    return { digest: gzip.digest!, sizeBytes: gzip.sizeBytes }
  })
})
