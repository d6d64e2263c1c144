/** Job: whether a file hashes to its name. */
import { createHash } from 'node:crypto'
import { readRange } from '../src/disk/read-range.js'
import { algorithmOf } from '../src/oci/digest.js'
import { job } from '../src/pool/wire.js'
import { pacer } from './paced.js'

export default job('check-blob', async ({ path, digest, bytesPerSecond }, { progress }) => {
  const { bytes, pace } = pacer(progress, bytesPerSecond)
  const hash = createHash(algorithmOf(digest))
  for await (const chunk of readRange({ path, offset: 0, sizeBytes: Number.POSITIVE_INFINITY }, path)) {
    hash.update(chunk)
    await pace(chunk.length)
  }
  return { isWhole: `${algorithmOf(digest)}:${hash.digest('hex')}` === digest, bytesRead: bytes() }
})
