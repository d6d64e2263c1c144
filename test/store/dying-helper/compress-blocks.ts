/** A helper that dies with a block in its hands. */
import { HelperEnd } from '../../../src/compression/block-ring.js'
import { lz4Codec } from '../../../src/layerfile/block-codec.js'
import { job } from '../../../src/pool/wire.js'
import { standIn } from '../../build/block-helpers.js'

export default job('compress-blocks', async (_input, { memory, progress }) => {
  const ring = new HelperEnd(memory!, lz4Codec(standIn()))
  ring.join()
  for (;;) {
    const { bell } = ring
    progress(0)
    if (ring.claim() !== undefined) process.exit(3)
    ring.sleep(bell)
  }
})
