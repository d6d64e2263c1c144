/** Job: the layer of a container's changes. One pass over its plan: headers and contents → hash → scan → layer file in the stage. */
import { withNewFile } from '../src/disk/descriptors.js'
import { readRange } from '../src/disk/read-range.js'
import { plannedTar } from '../src/layerfile/planned-tar.js'
import { writeLayerFile } from '../src/layerfile/writer.js'
import { job } from '../src/pool/wire.js'

export default job('commit-layer', async ({ plan, target, label, compression, limits }, context) => {
  const { memory, progress } = context
  const onProgress = (bytes: number) => progress(bytes)
  const tar = plannedTar(readRange(plan, label))
  const options = { path: target, label, compression, limits, onProgress, ...(memory && { ring: memory }) }
  return withNewFile(target, 0o600, fd => writeLayerFile(tar, { fd, ...options }))
})
