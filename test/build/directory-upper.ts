/** Uppers of the overlay2 driver: opened, and begun before if there is none. Needs root. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Layer } from '../../src/drivers/layer.js'
import {
  makeDirectoryUpper,
  type DirectoryUpperOptions as Options,
  openDirectoryUpper,
} from '../../src/drivers/overlay2/directory-upper.js'
import { directoryType, fileType, symlinkType, typeMask } from '../../src/drivers/overlay2/entry-attributes.js'
import type { DirectoryUpper } from '../../src/drivers/overlay2/upper-in-directory.js'
import type { NewNode, Upper } from '../../src/drivers/upper.js'
import type { SystemCalls } from '../../src/native/system-calls.js'
import { lowersBelow } from '../../src/overlay/union/lowers.js'
import { plainRoot } from './memory-upper.js'
import type { Step } from './upper-sequence.js'

export interface DirectoryUpperOptions {
  readonly calls: SystemCalls
  /** Base first. */
  readonly layers?: readonly Layer[]
  readonly root?: NewNode
  readonly disk?: Options['disk']
}

export async function directoryUpper(
  directory: string,
  { calls, layers = [], root = plainRoot, disk }: DirectoryUpperOptions,
): Promise<DirectoryUpper> {
  if (!existsSync(join(directory, 'diff'))) await makeDirectoryUpper(directory, root, { calls })
  return openDirectoryUpper(directory, { calls, lowers: lowersBelow(layers), ...(disk && { disk }) })
}

/** The step on an upper with nothing below: xattrs of users on files and directories alone, no owner -1. Undefined: there is none. */
export function possibleStep(upper: Upper, step: Step): Step | undefined {
  if (step.do === 'xattrs') return [directoryType, fileType].includes(upper.mode(step.id) & typeMask) ? step : undefined
  if (step.do === 'attributes') return (upper.mode(step.id) & typeMask) === symlinkType ? undefined : step
  if (step.do !== 'make') return step
  const { lowers: _, lowerContent: __, origin: ___, ...node } = step.node
  const gid = Math.min(node.gid, 2 ** 32 - 2)
  const device = (node.mode & typeMask) === 0o020000
  const deviceMinor = Math.max(1, node.deviceMinor ?? 0)
  return { ...step, node: { ...node, gid, ...(device && { xattrs: [], deviceMinor }) } }
}
