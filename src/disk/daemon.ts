/**
 * Whether a dockerd uses this root. It has read everything when it began and never looks again, so whoever writes beside it writes
 * what it does not see, and what its next tag writes over (facts of Docker's store, 0.3).
 *
 * There is no lock of the store itself. But for as long as it lives it holds exclusive flocks on the databases of its volumes and of
 * its builder. Asking takes a shared lock for a moment; a dockerd that begins in that moment tries for a second.
 */
import { PhylloError } from '../errors.js'
import type { Flock } from '../native/flock.js'
import { type Io, ifThere } from './io.js'
import { letGo, tryShared } from './lock.js'
import type { StorePaths } from './paths.js'

interface Place {
  readonly io: Io
  readonly paths: StorePaths
}

/** @throws STORE_BUSY when one lives */
export async function assertNoDaemon({ io, paths }: Place, flock: Flock): Promise<void> {
  const locks = paths.daemonLocks()
  if (locks === undefined) return
  const names = (await ifThere(io.readdir(locks.directory))) ?? []
  const builders = names.filter(name => name.endsWith(locks.ending)).map(name => paths.below(locks.directory, name))
  for (const path of [locks.file, ...builders]) {
    const fd = await ifThere(io.openExisting(path))
    if (fd === undefined) continue
    try {
      if (await tryShared(flock, fd, path)) continue
    } finally {
      await letGo(io, fd)
    }
    const reason = `a dockerd is using it (it holds ${path}): stop it first, or open the store with readOnly`
    throw new PhylloError('STORE_BUSY', `${paths.root}: ${reason}`, { path: paths.root, held: path })
  }
}
