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

export default job('gzip-layer', async ({ source, diffId, target }, { progress, memory }) => {
  return withNewFile(target, 0o600, async fd => {
    const tar = counted(layerTar(source, diffId), progress)
    const gzip = new GzipStream(tar, { level, ...(memory && { ring: memory }) })
    let position = 0
    for await (const chunk of gzip) {
      writeAllSync(fd, [chunk], position, target)
      position += chunk.length
    }
    return { digest: gzip.digest!, sizeBytes: gzip.sizeBytes }
  })
})
