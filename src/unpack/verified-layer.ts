/** The tar of an unpacked layer, proved to be the layer by its diffId. */
import { PhylloError } from '../errors.js'
import type { DiffId } from '../oci/digest.js'
import { verifiedTar } from '../tar/verified-tar.js'
import { assembleLayer, type SplitLayer } from './assemble-layer.js'

/**
 * In chunks that are the consumer's until it asks for the next one. Fails before its end when they are not the layer: STORE_CORRUPT,
 * naming the file that is damaged, if it is one.
 *
 * The checksums of files would say nothing more about a layer that is whole, and take a third of the processor's time (CRC-64 passes
 * at the speed of SHA-256). So they are looked at when the whole is wrong, to tell where.
 */
export async function* verifiedLayer(source: SplitLayer, diffId: DiffId): AsyncGenerator<Buffer, void, void> {
  try {
    yield* verifiedTar(assembleLayer(source, { checksums: false }), { diffId, path: source.tarSplit })
  } catch (error) {
    if (error instanceof PhylloError && error.code === 'STORE_CORRUPT') await findDamage(source)
    throw error
  }
}

/** Throws what is wrong with the first file that is damaged. */
async function findDamage(source: SplitLayer): Promise<void> {
  for await (const _chunk of assembleLayer(source));
}
