/** The one place where the driver of a root is chosen. */
import type { StorePaths } from '../disk/paths.js'
import type { Root } from '../disk/root.js'
import type { Driver } from './driver.js'
import { PackedDriver, type PackedOptions } from './packed/packed-driver.js'

/** Before anything is written: whether the driver can be written to here. @throws DRIVER_UNSUPPORTED naming what is missing */
export async function probeDriver(paths: StorePaths): Promise<void> {
  if (paths.driver === 'packed') return
  const { probeOverlay2 } = await import('./overlay2/probe.js')
  await probeOverlay2(paths.root)
}

export async function driverOf(root: Root, options: PackedOptions): Promise<Driver> {
  if (root.paths.driver === 'packed') return new PackedDriver(root, options)
  const { Overlay2Driver } = await import('./overlay2/overlay2-driver.js')
  return new Overlay2Driver(root)
}
