/** Says what this machine, process or file system lacks for a store of driver overlay2. */
import type { StorePaths } from '../../disk/paths.js'
import { callFacts, PhylloError } from '../../errors.js'
import type { Overlay2Probe } from './probe.js'

/** @throws DRIVER_UNSUPPORTED unless nothing is missing, with the call that failed, if it was one that said so */
export function refuse({ root, driver }: StorePaths, { missing, cause }: Overlay2Probe): void {
  if (missing.length === 0) return
  const message = `${root}: driver ${driver} cannot be used; what is missing: ${missing.join('; ')}`
  throw new PhylloError('DRIVER_UNSUPPORTED', message, { path: root, driver, missing, ...callFacts(cause), cause })
}
