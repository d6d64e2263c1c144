/** A stand-in for the real job: fails on a small layer, and never ends on a large one. */
import { openSync, readdirSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { PhylloError } from '../../../src/errors.js'
import { job } from '../../../src/pool/wire.js'

export const smallLayerBytes = 4096

export default job('write-layer', async ({ source, target }) => {
  if (source.sizeBytes <= smallLayerBytes) {
    // Not before the other job is at work.
    while (!readdirSync(dirname(target)).some(name => name.startsWith('layer-')))
      await new Promise(done => setTimeout(done, 5))
    throw new PhylloError('TAR_INVALID', 'a small layer')
  }
  // Open once: it would fail, and end, when its stage is taken away.
  const fd = openSync(target, 'wx')
  for (;;) {
    writeSync(fd, 'x')
    await new Promise(done => setTimeout(done, 5))
  }
})
