/** The one place where containers get the trees of what they have changed from their driver. */
import type { NewNode, Upper } from '../drivers/upper.js'
import type { Checksums } from '../layerfile/checksum.js'

type OpenUpper = (directory: string) => Promise<Upper>

/** Trees of what containers have changed, each in its directory. */
export interface Uppers {
  /** Begins one; `root`: attributes of the union's root. */
  readonly make: (directory: string, root: NewNode) => Promise<void>
  /** For whoever holds the container. */
  readonly open: OpenUpper
  /** For somebody who only looks. */
  readonly look: OpenUpper
}

/** Opens uppers that share what they check with: an instance of it reserves gigabytes of address space. */
export function driversUppers(): Uppers {
  let loading: Promise<Checksums> | undefined
  const checksums = async () => (loading ??= (await import('../layerfile/checksum.js')).loadChecksums())
  return {
    make: async (directory, root) => {
      const { makePackedUpper } = await import('../drivers/packed/open-upper.js')
      await makePackedUpper(directory, root, { checksums: await checksums() })
    },
    open: async directory => {
      const { openPackedUpper } = await import('../drivers/packed/open-upper.js')
      return openPackedUpper(directory, { checksums: await checksums() })
    },
    look: async directory => {
      const { lookAtPackedUpper } = await import('../drivers/packed/look.js')
      return lookAtPackedUpper(directory, { checksums: await checksums() })
    },
  }
}
