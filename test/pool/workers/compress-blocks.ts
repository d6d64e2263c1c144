/** A helper with nothing to do: sleeps until its bell is rung, and leaves when it is told to. Words: bell, begun, ended. */
import { job } from '../../../src/pool/wire.js'

export default job('compress-blocks', async (_input, { memory, isLeaving, progress }) => {
  const words = new Int32Array(memory!)
  Atomics.add(words, 1, 1)
  for (;;) {
    const bell = Atomics.load(words, 0)
    progress(0)
    if (isLeaving()) break
    Atomics.wait(words, 0, bell, 60_000)
  }
  Atomics.add(words, 2, 1)
  return { bytes: 0 }
})
