/** Job: the layer of a container's changes. One pass over its plan: headers and contents → hash → scan → directory in the stage. */
import { readRange } from '../src/disk/read-range.js'
import { plannedTar } from '../src/layerfile/planned-tar.js'
import { job } from '../src/pool/wire.js'
import { writeLayerContent } from '../src/unpack/layer-content.js'
import { counted } from './layer-input.js'

export default job('commit-directory', async ({ plan, ...input }, { progress }) => {
  let done = 0
  return await writeLayerContent(
    counted(plannedTar(readRange(plan, input.label)), bytes => (done = bytes)),
    {
      ...input,
      onStep: () => progress(done),
    },
  )
})
