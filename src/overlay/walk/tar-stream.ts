/** The exact tar of one layer, as a stream. */
import { Readable } from 'node:stream'
import type { LayerTar } from '../../drivers/layer.js'
import { PhylloError } from '../../errors.js'
import { MiB } from '../../limits.js'

/** Bytes of one read. While the consumer works on one slice, the next is being read. */
const tarSliceBytes = MiB

/** Its sha256 is the diffId. When the stream has closed, nothing is being read from the layer any more. */
export function tarStream(layer: LayerTar): Readable {
  return Readable.from(tarSlices(layer), { objectMode: false, highWaterMark: tarSliceBytes })
}

async function* tarSlices(layer: LayerTar): AsyncGenerator<Buffer, void, void> {
  let ahead = tarSlice(layer, 0)
  try {
    for (let position = 0; position < layer.tarBytes; ) {
      const slice = await ahead
      position += slice.length
      ahead = tarSlice(layer, position)
      // It is awaited below; until then a failure is nobody's
      ahead.catch(() => undefined)
      yield slice
    }
  } finally {
    await Promise.allSettled([ahead])
  }
}

async function tarSlice(layer: LayerTar, position: number): Promise<Buffer> {
  const into = Buffer.allocUnsafeSlow(Math.max(0, Math.min(tarSliceBytes, layer.tarBytes - position)))
  let done = 0
  while (done < into.length) {
    const count = await layer.readTar(position + done, into.subarray(done))
    if (count === 0) {
      const missing = layer.tarBytes - position - done
      throw new PhylloError('STORE_CORRUPT', `layer ${layer.diffId} ends ${missing} bytes early`, {
        path: layer.diffId,
      })
    }
    done += count
  }
  return into
}
