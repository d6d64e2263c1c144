/** Job: one pass over a layer as it stands in an archive: decompress → hash → scan → `diff/` and `tar-split.json.gz` in the stage. */
import { BlobHash } from '../src/compression/blob-hash.js'
import { decompress } from '../src/compression/compression.js'
import { readRange } from '../src/disk/read-range.js'
import { job } from '../src/pool/wire.js'
import { writeLayerContent } from '../src/unpack/layer-content.js'

export default job('unpack-layer', async ({ source, digestAlgorithm, ...input }, { progress }) => {
  const { limits, label } = input
  const blob = new BlobHash(digestAlgorithm)
  let done = 0
  const report = (bytes: number) => progress((done = bytes))
  const plain = decompress(blob.tap(readRange(source, label), report), {
    limits,
    label,
    onSniffed: name => blob.sniffed(name),
  })
  const layer = await writeLayerContent(plain, { ...input, onStep: () => progress(done) })
  return { ...layer, digest: blob.digest() ?? layer.diffId }
})
