/** Uppers of the packed driver: opened, and begun before if there is none. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { makePackedUpper, type OpenUpperOptions, openPackedUpper } from '../../src/drivers/packed/open-upper.js'
import type { PackedUpper } from '../../src/drivers/packed/packed-upper.js'
import type { NewNode } from '../../src/drivers/upper.js'

export interface PackedUpperOptions extends OpenUpperOptions {
  /** What the union's root is in a new one. */
  readonly root: NewNode
}

export async function packedUpper(directory: string, { root, ...options }: PackedUpperOptions): Promise<PackedUpper> {
  if (!existsSync(join(directory, 'journal'))) await makePackedUpper(directory, root, options)
  return openPackedUpper(directory, options)
}
