/** Job: how large the tar of an unpacked layer is, without looking at its files. */
import { job } from '../src/pool/wire.js'
import { countTarBytes } from '../src/unpack/assemble-layer.js'

export default job('count-split', async ({ tarSplit }) => ({ tarBytes: await countTarBytes(tarSplit) }))
