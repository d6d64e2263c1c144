/** The one place where containers get the trees of what they have changed from their driver. */
import type { Checksums } from '../layerfile/checksum.js'
import type { OpenUpper } from './container.js'

/** Opens uppers that share what they check with: an instance of it reserves gigabytes of address space. */
export function driversUppers(): OpenUpper {
  let checksums: Promise<Checksums> | undefined
  return async (directory, options) => {
    const [{ openPackedUpper }, { loadChecksums }] = await Promise.all([
      import('../drivers/packed/open-upper.js'),
      import('../layerfile/checksum.js'),
    ])
    checksums ??= loadChecksums()
    return openPackedUpper(directory, { ...options, checksums: await checksums })
  }
}
