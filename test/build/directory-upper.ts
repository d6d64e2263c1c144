/** Uppers of the overlay2 driver: opened, and begun before if there is none. Needs root. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Layer } from '../../src/drivers/layer.js'
import { makeDirectoryUpper, openDirectoryUpper } from '../../src/drivers/overlay2/directory-upper.js'
import type { DirectoryUpper } from '../../src/drivers/overlay2/upper-in-directory.js'
import type { NewNode } from '../../src/drivers/upper.js'
import type { SystemCalls } from '../../src/native/system-calls.js'
import { lowersBelow } from '../../src/overlay/union/lowers.js'
import { plainRoot } from './memory-upper.js'

export interface DirectoryUpperOptions {
  readonly calls: SystemCalls
  /** Base first. */
  readonly layers?: readonly Layer[]
  readonly root?: NewNode
}

export async function directoryUpper(
  directory: string,
  { calls, layers = [], root = plainRoot }: DirectoryUpperOptions,
): Promise<DirectoryUpper> {
  if (!existsSync(join(directory, 'diff'))) await makeDirectoryUpper(directory, root, { calls })
  return openDirectoryUpper(directory, { calls, lowers: lowersBelow(layers) })
}
