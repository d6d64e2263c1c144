/** Job: whether the content of a layer is what it was when it was written. */
import { checkLayerFile } from '../src/layerfile/check-layer-file.js'
import { job } from '../src/pool/wire.js'
import { checkDirectory } from '../src/unpack/check-directory.js'
import { pacer } from './paced.js'

export default job('check-content', async ({ source, bytesPerSecond, limits, ...of }, { progress }) => {
  const { bytes, pace } = pacer(progress, bytesPerSecond)
  const checked =
    'layerFile' in source
      ? await checkLayerFile(source.layerFile, { ...of, pace })
      : await checkDirectory(source, { ...of, pace, limits })
  return { ...checked, bytesRead: bytes() }
})
