/** Job: the layer of a container's changes. One pass over its plan: headers and contents → hash → scan → layer file in the stage. */
import { closeSync, openSync } from 'node:fs'
import { readRange } from '../src/disk/read-range.js'
import { plannedTar } from '../src/layerfile/planned-tar.js'
import { writeLayerFile } from '../src/layerfile/writer.js'
import { job } from '../src/pool/wire.js'

export default job('commit-layer', async ({ plan, target, label, compression, limits }, context) => {
  const fd = openSync(target, 'wx', 0o600)
  try {
    const { memory, progress } = context
    const onProgress = (bytes: number) => progress(bytes)
    const tar = plannedTar(readRange(plan, label))
    return await writeLayerFile(tar, { fd, label, compression, limits, onProgress, ...(memory && { ring: memory }) })
  } finally {
    closeSync(fd)
  }
})
