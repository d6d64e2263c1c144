/** Job: a layer file anew, out of the LZ4 frame of one whose index is damaged. Whether it is the layer, its diffId tells. */
import { rebuildIndex } from '../src/layerfile/rebuild.js'
import { job } from '../src/pool/wire.js'

export default job('rebuild-layer', ({ path, ...options }) => rebuildIndex(path, options))
