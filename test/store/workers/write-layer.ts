/** A stand-in for the real job: fails on a small layer, and holds a core over a large one until it is stopped. */
import { appendFileSync } from 'node:fs'
import { PhylloError } from '../../../src/errors.js'
import { joinCores } from '../../../src/pool/cores.js'
import { job } from '../../../src/pool/wire.js'

export const smallLayerBytes = 4096

export default job('write-layer', async ({ source, target, cores }) => {
  if (source.sizeBytes <= smallLayerBytes) {
    // Late enough for the other job to be at work.
    await new Promise(done => setTimeout(done, 300))
    throw new PhylloError('TAR_INVALID', 'a small layer')
  }
  joinCores(cores)
  for (;;) {
    appendFileSync(target, 'x')
    await new Promise(done => setTimeout(done, 5))
  }
})
