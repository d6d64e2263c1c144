/** The one place where the driver of a root is chosen. */
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { storeIoError } from '../disk/io.js'
import type { StorePaths } from '../disk/paths.js'
import type { Root } from '../disk/root.js'
import { isErrno, told } from '../errors.js'
import type { Driver } from './driver.js'
import { PackedDriver, type PackedOptions } from './packed/packed-driver.js'

/** Before anything is written: whether the driver can be written to here. @throws DRIVER_UNSUPPORTED naming what is missing */
export async function probeDriver(paths: StorePaths): Promise<void> {
  if (paths.driver === 'packed') return
  const [{ probeOverlay2 }, { refuse }, { loadSystemCalls }] = await Promise.all([
    import('./overlay2/probe.js'),
    import('./overlay2/refuse.js'),
    import('../native/load-system-calls.js'),
  ])
  const places = await Promise.all([paths.content, paths.stages].map(nearest))
  const { path } = places[1]!
  const calls = await loadSystemCalls()
  const probe = told('STORE_IO', { path, said: `${path}: cannot be tried` }, () => probeOverlay2(path, calls))
  const apart = places[0]!.device === places[1]!.device ? [] : ['overlay2/ and phyllo/ on one file system']
  refuse(paths, { ...probe, missing: [...probe.missing, ...apart] })
}

/** The directory, or the one of its parents that is there. */
async function nearest(path: string): Promise<{ readonly path: string; readonly device: number }> {
  try {
    return { path, device: (await stat(path)).dev }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw await storeIoError('stat', path, error)
    return nearest(dirname(path))
  }
}

export async function driverOf(root: Root, options: PackedOptions): Promise<Driver> {
  if (root.paths.driver === 'packed') return new PackedDriver(root, options)
  const { Overlay2Driver } = await import('./overlay2/overlay2-driver.js')
  return new Overlay2Driver(root)
}
