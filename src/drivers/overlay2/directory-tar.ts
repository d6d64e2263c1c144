/** The exact tar of a layer that is a directory: put together as it is read, by whoever cannot leave it to a job. */
import { stat } from 'node:fs/promises'
import { KiB } from '../../limits.js'
import type { DiffId } from '../../oci/digest.js'
import { countTarBytes, type SplitLayer } from '../../unpack/assemble-layer.js'
import { AssembledTar } from '../../unpack/assembled-tar.js'
import { recordedTarBytes } from '../../unpack/split-file.js'
import type { OpenTar, TarOptions } from '../driver.js'

/** Gzipped. Less is counted before a thread has started. */
const leastForJob = 64 * KiB

/** Throws STORE_CORRUPT, naming the file, STORE_IO, and the signal's reason. */
export async function openDirectoryTar(diffId: DiffId, source: SplitLayer, options: TarOptions): Promise<OpenTar> {
  const tarBytes = await countBytes(source.tarSplit, options)
  const tar = new AssembledTar(source)
  return {
    diffId,
    tarBytes,
    source,
    readTar: (position, into) => tar.read(position, into),
    close: () => tar.close(),
  }
}

async function countBytes(tarSplit: string, { pool, signal }: TarOptions): Promise<number> {
  const recorded = recordedTarBytes(tarSplit)
  if (recorded !== undefined) return recorded
  const workers = pool?.()
  if (workers === undefined || workers.workers === 0 || !(await isLarge(tarSplit))) return countTarBytes(tarSplit)
  return (await workers.run('count-split', { tarSplit }, { ...(signal && { signal }) })).tarBytes
}

/** What cannot be looked at is no job: who reads it will say why. */
async function isLarge(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined)
  return stats !== undefined && stats.size >= leastForJob
}
