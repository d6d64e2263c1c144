/**
 * Opens a store directory, new or old, for reading or for writing.
 *
 * Invariants:
 * - Reading needs no permission to write and changes nothing, not even on a root that does not exist: that is an empty
 *   store.
 * - A new store becomes one by its store.json, written last and under the lock: two processes that make it at once make
 *   it once.
 * - Who cannot speak the store's lock protocol, or finds a newer format, opens it for reading.
 */
import { dirname, resolve } from 'node:path'
import { together } from '../endings.js'
import { PhylloError } from '../errors.js'
import { type Flock, flockProtocol } from '../native/flock.js'
import { type Durability, flush, makeDirectory } from './commit.js'
import { assertNoDaemon } from './daemon.js'
import { type Io, ifThere, nodeIo } from './io.js'
import { withLockFile } from './lock.js'
import { createOwner, endOwner, type Owner } from './owner.js'
import { type DriverName, driverNames, StorePaths } from './paths.js'
import { reapDeadOwners } from './reap.js'
import { Reserve } from './reserve.js'
import { Root } from './root.js'
import type { ReadOnly } from './root-parts.js'
import { readStoreFile, type StoreFile, storeFileText, storeVersion } from './store-file.js'

export interface RootOptions {
  readonly readOnly?: boolean
  /** Default `full`. */
  readonly durability?: Durability
  /** What the caller insists on; DRIVER_MISMATCH if the store is another's. Default: the store's own, else packed. */
  readonly driver?: DriverName
  /** Asked before the first byte is written, with the paths of the driver that there is; what it throws is why it cannot be. */
  readonly prepare?: (paths: StorePaths) => Promise<void>
  /** How long to try for a lock before STORE_BUSY, milliseconds. Default 10,000. */
  readonly lockTimeoutMs?: number
  /** Clear up after processes that died. Default true; otherwise that is left to a collector. */
  readonly tidy?: boolean
  /** For tests: the system calls, and the lock protocol (undefined: there is none). */
  readonly io?: Io
  readonly flock?: () => Promise<Flock | undefined>
}

/** @throws DRIVER_MISMATCH, STORE_CORRUPT, STORE_IO, STORE_BUSY, STORE_VERSION (a newer format with an unknown driver) */
export async function openRoot(path: string, options: RootOptions = {}): Promise<Root> {
  const { io = nodeIo, durability = 'full', lockTimeoutMs = 10_000, tidy = true } = options
  const root = resolve(path)
  const found = await lookAt(io, root, options.driver)
  const readOnly = (mode: ReadOnly) => new Root({ io, paths: found.paths, durability, mode })
  if (options.readOnly) return readOnly({ code: 'STORE_READ_ONLY', reason: 'it was opened with readOnly' })
  const cannot = cannotWrite(found.file)
  if (cannot !== undefined) return readOnly(cannot)
  const flock = await (options.flock ?? flockProtocol)()
  if (flock === undefined) return readOnly(noProtocol)
  await assertNoDaemon({ io, paths: found.paths }, flock)
  await new Reserve(io, found.paths).withRoom(async () => options.prepare?.(found.paths))
  await makeOwnDirectories(io, found.paths)
  const lock = { io, flock, timeoutMs: lockTimeoutMs }
  const opened = await withLockFile(found.paths.lock, lock, async () => {
    const { file, paths } = await lookAt(io, root, options.driver)
    const reason = cannotWrite(file)
    if (reason !== undefined) return { paths, mode: reason }
    const reserve = new Reserve(io, paths)
    const freeing = { io: reserve.io, paths }
    const owner = await createOwner(freeing, flock)
    try {
      if (file === undefined) await makeStore(io, paths, owner, durability)
      if (tidy) await reapDeadOwners(freeing, flock, owner)
      await reserve.fill()
    } catch (error) {
      await endOwner({ io, paths }, owner).catch(() => undefined)
      throw error
    }
    return { paths, reserve, mode: { owner, flock, lockTimeoutMs } }
  })
  const writing = new Root({ io, durability, ...opened })
  if (writing.readOnlyReason === undefined && tidy) void writing.sweep()
  return writing
}

const noProtocol: ReadOnly = {
  code: 'STORE_READ_ONLY',
  reason: 'this process has no way to lock it (neither flock(2) through koffi nor flock(1))',
}

async function lookAt(io: Io, root: string, wanted: DriverName | undefined) {
  const file = await readStoreFile(io, new StorePaths(root, 'packed').storeFile)
  const driver = file?.driver ?? (await driverOfDirectory(io, root)) ?? wanted ?? 'packed'
  if (wanted !== undefined && wanted !== driver) {
    throw new PhylloError('DRIVER_MISMATCH', `${root} is a store of driver ${driver}, not of ${wanted}`, {
      path: root,
      driver,
      wanted,
    })
  }
  return { file, paths: new StorePaths(root, driver) }
}

/** Docker's roots have no store.json. As Docker does, the one driver with a directory that is not empty is taken. */
async function driverOfDirectory(io: Io, root: string): Promise<DriverName | undefined> {
  const prior: DriverName[] = []
  for (const driver of driverNames) {
    const names = await ifThere(io.readdir(new StorePaths(root, driver).content))
    if (names !== undefined && names.length > 0) prior.push(driver)
  }
  if (prior.length < 2) return prior[0]
  throw new PhylloError('STORE_CORRUPT', `${root} has content of several drivers (${prior.join(', ')})`, { path: root })
}

function cannotWrite(file: StoreFile | undefined): ReadOnly | undefined {
  if (file === undefined) return undefined
  if (file.version > storeVersion) {
    const reason = `its format is version ${file.version}, this program knows ${storeVersion}`
    return { code: 'STORE_VERSION', reason }
  }
  if (file.lock === 'flock') return undefined
  return { code: 'STORE_READ_ONLY', reason: `its lock protocol is ${JSON.stringify(file.lock.slice(0, 40))}` }
}

/** What has to be there before there can be a lock. The root's parents are the user's: default modes, as mkdir -p. */
async function makeOwnDirectories(io: Io, paths: StorePaths): Promise<void> {
  if ((await ifThere(io.status(paths.root))) === undefined) {
    await io.mkdirAll(dirname(paths.root))
    await makeDirectory(io, paths.root, 0o710)
  }
  const own = paths.ownDirectories()
  // The first is the parent of the others.
  for (const part of [own.slice(0, 1), own.slice(1)])
    await together(part.map(([path, mode]) => makeDirectory(io, path, mode)))
}

/** The tree first, store.json last: what dies on the way is no store yet, and making it again finds nothing in its way. */
async function makeStore(io: Io, paths: StorePaths, owner: Owner, durability: Durability): Promise<void> {
  const directories = paths.directories()
  for (const [path, mode] of directories) await makeDirectory(io, path, mode)
  for (const [path] of directories) await flush({ io, durability }, path)
  const staged = paths.below(paths.stages, owner.next())
  await io.writeNew(staged, storeFileText(paths.driver), 0o600, durability === 'full')
  await io.rename(staged, paths.storeFile)
  await flush({ io, durability }, dirname(paths.storeFile))
}
