/**
 * Mounts that somebody who died, a dockerd mostly, has left in a directory that is about to be deleted: `merged`. Deleting would go
 * through them (facts of Docker's store, 5.6 and 5.7: dockerd detaches what it finds there, too).
 */
import { realpath } from 'node:fs/promises'
import { fromText, toText } from '../../byte-string.js'
import { storeIoError } from '../../disk/io.js'
import { isErrno } from '../../errors.js'
import { loadSystemCalls } from '../../native/load-system-calls.js'
import { MNT_DETACH } from '../../native/system-calls.js'
import { mountTable } from './mount-table.js'

/** Detaches all that is mounted at or below a directory, the last first. @throws STORE_IO when the kernel refuses */
export async function detachMounts(directory: string): Promise<void> {
  const mounts = await mountTable()
  const place = fromText(await resolved(directory))
  const below = mounts.map(({ at }) => at).filter(at => at === place || at.startsWith(`${place}/`))
  if (below.length === 0) return
  const calls = await loadSystemCalls()
  for (const at of below.toReversed()) {
    try {
      calls?.umount2(toText(at), MNT_DETACH)
    } catch (error) {
      // It went with one that was mounted around it.
      if (!isErrno(error, 'EINVAL', 'ENOENT')) throw await storeIoError('umount2', toText(at), error)
    }
  }
}

/** As the kernel's table has it. */
async function resolved(directory: string): Promise<string> {
  try {
    return await realpath(directory)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return directory
    throw await storeIoError('realpath', directory, error)
  }
}
