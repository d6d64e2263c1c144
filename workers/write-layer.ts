/** Job: one pass over a layer as it stands in an archive or a store: decompress → hash → scan → layer file in the stage. */
import { closeSync, openSync } from 'node:fs'
import { writeLayerFile } from '../src/layerfile/writer.js'
import { job } from '../src/pool/wire.js'
import { plainTar } from './layer-input.js'

export default job('write-layer', async (input, { progress, memory }) => {
  const { source, label, target, compression, limits, digestAlgorithm } = input
  const fd = openSync(target, 'wx', 0o600)
  try {
    const { chunks, digest } = plainTar(source, { label, limits, digestAlgorithm, progress })
    const written = await writeLayerFile(chunks, { fd, label, compression, limits, ...(memory && { ring: memory }) })
    return { ...written, digest: digest() ?? written.diffId }
  } finally {
    closeSync(fd)
  }
})
