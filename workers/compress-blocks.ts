/**
 * Job: helps a write-layer job that runs on another thread, by compressing blocks of it in the memory that both share,
 * until that job has ended or somebody else wants this thread.
 */
import { HelperEnd } from '../src/layerfile/block-ring.js'
import { loadChecksums } from '../src/layerfile/checksum.js'
import { MiB } from '../src/limits.js'
import { loadLz4 } from '../src/native/lz4.js'
import { job } from '../src/pool/wire.js'

/** Bytes of content between two turns of the event loop, without which native outputs are never taken back. */
const turnBytes = 4 * MiB

export default job('compress-blocks', async (_input, { memory, isLeaving, progress }) => {
  let bytes = 0
  if (memory === undefined || isLeaving()) return { bytes }
  const [lz4, checksums] = await Promise.all([loadLz4(), loadChecksums()])
  const ring = new HelperEnd(memory, { lz4, checksums })
  ring.join()
  try {
    for (let turn = turnBytes; ; ) {
      const { bell } = ring
      progress(bytes)
      if (ring.closed || isLeaving()) return { bytes }
      const block = ring.claim()
      if (block === undefined) ring.sleep(bell)
      else bytes += ring.compress(block)
      if (bytes < turn) continue
      turn = bytes + turnBytes
      await new Promise(resolve => setImmediate(resolve))
    }
  } finally {
    ring.leave()
  }
})
