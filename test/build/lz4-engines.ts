/** The LZ4 engines of this machine; lz4-napi is always there. */
import { loadLiblz4 } from '../../src/native/liblz4.js'
import type { Lz4 } from '../../src/native/lz4.js'
import { loadLz4Napi } from '../../src/native/lz4-napi.js'

export async function lz4Engines(): Promise<Lz4[]> {
  const liblz4 = await loadLiblz4()
  return liblz4 === undefined ? [await loadLz4Napi()] : [await loadLz4Napi(), liblz4]
}
