/**
 * Makes, opens and looks at the upper of a container in its directory: `diff`, the upper directory of an overlay mount, and `work`
 * beside it.
 *
 * Invariant: what an earlier process left in `work` without use is removed at opening. A look writes nothing.
 */

import fs from 'node:fs'
import { closeRead } from '../../disk/descriptors.js'
import { loadLibc } from '../../native/libc.js'
import type { SystemCalls } from '../../native/system-calls.js'
import { upperIoError } from '../packed/upper-io.js'
import type { Lowers, NewNode } from '../upper.js'
import { UpperTree } from '../upper-tree.js'
import { ConfinedDirectory } from './confined-directory.js'
import { scanRoot, scanUpper } from './scan-upper.js'
import { UpperDisk, upperName } from './upper-disk.js'
import { DirectoryUpper, type DirectoryUpperParts } from './upper-in-directory.js'
import { UpperPlaces } from './upper-places.js'

export interface DirectoryUpperOptions {
  readonly calls: SystemCalls
  /** The layers below it. */
  readonly lowers: Lowers
  /** For tests: what it does to the disk. */
  readonly disk?: UpperDisk
}

/**
 * Begins one in a directory that may be there already, without `diff`. `root`: what the union's root is in it.
 *
 * @throws STORE_IO
 */
export async function makeDirectoryUpper(
  directory: string,
  root: NewNode,
  { calls }: Pick<DirectoryUpperOptions, 'calls'>,
): Promise<void> {
  made(directory, () => fs.mkdirSync(directory, { recursive: true, mode: 0o700 }))
  const work = `${directory}/work`
  made(work, () => {
    fs.mkdirSync(work)
    fs.chmodSync(work, 0o700)
  })
  const disk = new UpperDisk(directory, calls)
  disk.make(upperName, root)
  disk.setTimes(upperName, root)
  for (const path of [disk.hostPath(upperName), work, directory]) synced(path)
}

/**
 * Opens one for whoever holds the container; whoever wrote it, but for one that an overlay mount is using.
 *
 * @throws STORE_IO, STORE_CORRUPT; ENTRY_UNSUPPORTED for one whose names or contents are partly elsewhere (redirect_dir, metacopy)
 */
export async function openDirectoryUpper(directory: string, options: DirectoryUpperOptions): Promise<DirectoryUpper> {
  const disk = options.disk ?? new UpperDisk(directory, options.calls)
  disk.prepare()
  return open(disk, options, { readOnly: false, syncfs: (await loadLibc())?.syncfs })
}

/** Opens one for looking, also while somebody else changes it. What has changed by the time that it is read is CONTAINER_CHANGED. */
export async function lookAtDirectoryUpper(directory: string, options: DirectoryUpperOptions): Promise<DirectoryUpper> {
  return open(new UpperDisk(directory, options.calls), options, { readOnly: true, syncfs: undefined })
}

function open(
  disk: UpperDisk,
  { calls, lowers }: DirectoryUpperOptions,
  how: Pick<DirectoryUpperParts, 'readOnly' | 'syncfs'>,
): DirectoryUpper {
  const reading = new ConfinedDirectory(disk.directory, calls)
  try {
    const listener: DirectoryUpperParts['listener'] = { letGo: () => undefined }
    const root = { ...scanRoot(reading), lowers: lowers.root }
    const tree = new UpperTree(root, { record: () => undefined, letGo: stored => listener.letGo(stored) })
    const places = new UpperPlaces()
    scanUpper(reading, { tree, places, lowers })
    return new DirectoryUpper({ tree, places, disk, reading, lowers, listener, ...how })
  } catch (error) {
    reading.close()
    throw error
  }
}

function made(path: string, make: () => void): void {
  try {
    make()
  } catch (cause) {
    throw upperIoError('mkdir', path, cause)
  }
}

function synced(path: string): void {
  try {
    const fd = fs.openSync(path, 'r')
    try {
      fs.fsyncSync(fd)
    } finally {
      closeRead(fd)
    }
  } catch (cause) {
    throw upperIoError('fsync', path, cause)
  }
}
