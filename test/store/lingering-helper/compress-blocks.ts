/** A helper that does nothing, and takes its time to leave. */
import { job } from '../../../src/pool/wire.js'

export default job('compress-blocks', async (_input, { progress }) => {
  const sleep = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  try {
    for (;;) {
      progress(0)
      sleep(20)
    }
  } finally {
    sleep(600)
  }
})
