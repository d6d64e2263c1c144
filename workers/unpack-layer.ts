/**
 * Job: one pass over a layer as it stands in an archive or a store: decompress → hash → scan → `diff/` and `tar-split.json.gz` in the
 * stage.
 */
import { job } from '../src/pool/wire.js'
import { writeLayerContent } from '../src/unpack/layer-content.js'
import { plainTar } from './layer-input.js'

export default job('unpack-layer', async ({ source, digestAlgorithm, ...input }, { progress }) => {
  const { limits, label } = input
  let done = 0
  const report = (bytes: number) => progress((done = bytes))
  const { chunks, digest } = plainTar(source, { label, limits, digestAlgorithm, progress: report })
  const layer = await writeLayerContent(chunks, { ...input, onStep: () => progress(done) })
  return { ...layer, digest: digest() ?? layer.diffId }
})
