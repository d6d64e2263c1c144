/** The exact tar of a layer that is a directory, for whoever cannot leave it to a job: put together as it is read. */
import type { DiffId } from '../../oci/digest.js'
import { type SplitLayer, splitTarBytes } from '../../unpack/assemble-layer.js'
import { AssembledTar } from '../../unpack/assembled-tar.js'
import type { OpenTar } from '../driver.js'

/** Throws STORE_CORRUPT, naming the file, and STORE_IO. */
export async function openDirectoryTar(diffId: DiffId, source: SplitLayer): Promise<OpenTar> {
  const tarBytes = await splitTarBytes(source.tarSplit)
  const tar = new AssembledTar(source)
  return {
    diffId,
    tarBytes,
    source,
    readTar: (position, into) => tar.read(position, into),
    close: () => tar.close(),
  }
}
