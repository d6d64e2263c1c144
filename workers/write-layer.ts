/** Job: one pass over a layer as it stands in an archive: decompress → hash → scan → layer file in the stage. */
import { closeSync, openSync } from 'node:fs'
import { BlobHash } from '../src/compression/blob-hash.js'
import { decompress } from '../src/compression/compression.js'
import { readRange } from '../src/disk/read-range.js'
import { writeLayerFile } from '../src/layerfile/writer.js'
import { job } from '../src/pool/wire.js'

export default job('write-layer', async (input, { progress, memory }) => {
  const { source, label, target, compression, limits } = input
  const blob = new BlobHash(input.digestAlgorithm)
  const fd = openSync(target, 'wx', 0o600)
  try {
    const plain = decompress(blob.tap(readRange(source, label), progress), {
      limits,
      label,
      onSniffed: name => blob.sniffed(name),
    })
    const written = await writeLayerFile(plain, { fd, label, compression, limits, ...(memory && { ring: memory }) })
    return { ...written, digest: blob.digest() ?? written.diffId }
  } finally {
    closeSync(fd)
  }
})
