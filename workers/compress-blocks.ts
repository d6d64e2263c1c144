/**
 * Job: helps a job that runs on another thread, by compressing blocks of it in the memory that both share, until that job
 * has ended or somebody else wants this thread.
 */
import { type BlockCodec, HelperEnd } from '../src/compression/block-ring.js'
import { deflateCodec } from '../src/compression/deflate-chunk.js'
import { loadLz4Codec } from '../src/layerfile/block-codec.js'
import { MiB } from '../src/limits.js'
import type { BlockCodecName } from '../src/pool/jobs.js'
import { job } from '../src/pool/wire.js'

const codecs: Readonly<Record<BlockCodecName, () => Promise<BlockCodec>>> = {
  lz4: loadLz4Codec,
  deflate: async () => deflateCodec,
}

/** Bytes of content between two turns of the event loop, without which native outputs are never taken back. */
const turnBytes = 4 * MiB

export default job('compress-blocks', async ({ codec }, { memory, isLeaving, progress }) => {
  let bytes = 0
  if (memory === undefined || isLeaving()) return { bytes }
  const ring = new HelperEnd(memory, await codecs[codec]())
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
