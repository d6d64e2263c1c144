/**
 * Whether what a container of driver packed has changed can be read, and, as far as it has checksums, is what was written.
 *
 * Invariant: nothing is written, and whoever has the container open is not disturbed. What he takes away meanwhile is no damage.
 */

import { setImmediate as turn } from 'node:timers/promises'
import { closeRead } from '../../disk/descriptors.js'
import { PhylloError } from '../../errors.js'
import type { Checksums } from '../../layerfile/checksum.js'
import { Journal } from './journal.js'
import { corruptUpper, journalName } from './journal-format.js'
import { lookAtPackedUpper } from './look.js'
import { readRecords, Seen } from './record-reader.js'
import { isThere } from './replay.js'
import { segmentName } from './stored-content.js'
import { UpperFiles } from './upper-files.js'
import { nodeUpperIo, type UpperIo } from './upper-io.js'

export interface CheckUpperOptions {
  readonly checksums: Checksums
  /** Also the bytes of small contents: those whose checksums the journal still has. */
  readonly full: boolean
  readonly pace: (bytes: number) => Promise<void>
}

/** Throws STORE_CORRUPT, naming the file; CONTAINER_CHANGED; STORE_IO; STORE_VERSION. */
export async function checkPackedUpper(directory: string, { checksums, full, pace }: CheckUpperOptions): Promise<void> {
  await (await lookAtPackedUpper(directory, { checksums })).close()
  if (!full) return
  const io: UpperIo = { ...nodeUpperIo, open: path => nodeUpperIo.open(path, 'r'), close: ({ fd }) => closeRead(fd) }
  const path = `${directory}/${journalName}`
  const journal = new Journal(io, checksums.xxh64, io.open(path, 'r'), path, 0, 0)
  const files = new UpperFiles(io, directory)
  try {
    for (const { payload } of journal.read().frames)
      for (const extent of readRecords(payload, new Seen(), () => undefined).extents) {
        const name = segmentName(extent.segment)
        if (!isThere(extent, files, checksums.xxh64))
          throw corruptUpper(files.path(name), `${extent.bytes} bytes do not have their checksum`, extent.offset)
        await pace(extent.bytes)
        await turn()
      }
  } catch (error) {
    // A segment that was removed between two looks
    if (!(error instanceof PhylloError && error.errno === 'ENOENT')) throw error
  } finally {
    files.close()
    journal.close()
  }
}
