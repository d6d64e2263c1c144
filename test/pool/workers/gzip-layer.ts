/** A job whose module takes long to load, as one may on a busy machine. */
import type { Digest } from '../../../src/oci/digest.js'
import { job } from '../../../src/pool/wire.js'

Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)

export default job('gzip-layer', async () => ({ digest: `sha256:${'0'.repeat(64)}` as Digest, sizeBytes: 0 }))
