/** The one place where containers get the trees of what they have changed from their driver. */
import type { Checksums } from '../layerfile/checksum.js'
import type { OpenUpper } from './container.js'

/** How an upper is opened: by whoever holds the container, or by somebody who only looks. */
export interface Uppers {
  readonly open: OpenUpper
  readonly look: OpenUpper
}

/** Opens uppers that share what they check with: an instance of it reserves gigabytes of address space. */
export function driversUppers(): Uppers {
  let loading: Promise<Checksums> | undefined
  const checksums = async () => (loading ??= (await import('../layerfile/checksum.js')).loadChecksums())
  return {
    open: async (directory, options) => {
      const { openPackedUpper } = await import('../drivers/packed/open-upper.js')
      return openPackedUpper(directory, { ...options, checksums: await checksums() })
    },
    look: async (directory, options) => {
      const { lookAtPackedUpper } = await import('../drivers/packed/look.js')
      return lookAtPackedUpper(directory, { ...options, checksums: await checksums() })
    },
  }
}
