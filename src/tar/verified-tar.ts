/** The tar of a layer on its way to somebody, compared with what its name says. */
import { createHash } from 'node:crypto'
import { PhylloError } from '../errors.js'
import type { DiffId } from '../oci/digest.js'

export interface TarIdentity {
  readonly diffId: DiffId
  /** Where it is stored, for messages. */
  readonly path: string
}

/** Passes the chunks. Fails before its end with STORE_CORRUPT when they are not the layer. */
export async function* verifiedTar<C extends Uint8Array>(
  chunks: AsyncIterable<C>,
  { diffId, path }: TarIdentity,
): AsyncGenerator<C, void, void> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
  const actual = `sha256:${hash.digest('hex')}`
  if (actual === diffId) return
  const facts = { path, expected: diffId, actual }
  throw new PhylloError('STORE_CORRUPT', `${path}: holds ${actual}, not layer ${diffId}`, facts)
}
