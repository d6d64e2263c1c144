/** Says what this machine, process or file system lacks for a store of driver overlay2. */
import type { StorePaths } from '../../disk/paths.js'
import { PhylloError } from '../../errors.js'

/** @throws DRIVER_UNSUPPORTED unless nothing is missing */
export function refuse({ root, driver }: StorePaths, missing: readonly string[]): void {
  if (missing.length === 0) return
  const message = `${root}: driver ${driver} cannot be used; what is missing: ${missing.join('; ')}`
  throw new PhylloError('DRIVER_UNSUPPORTED', message, { path: root, driver, missing })
}
