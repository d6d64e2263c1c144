/** The one place where containers get the trees of what they have changed from their driver. */
import type { Layer } from '../drivers/layer.js'
import type { NewNode, Upper } from '../drivers/upper.js'
import type { Checksums } from '../layerfile/checksum.js'
import type { SystemCalls } from '../native/system-calls.js'
import { lowersBelow } from '../overlay/union/lowers.js'

/** `layers`: those that the container is over, base first. */
type OpenUpper = (directory: string, layers: readonly Layer[]) => Promise<Upper>

/** Trees of what containers have changed, each in its directory. */
export interface Uppers {
  /** Begins one; `root`: attributes of the union's root. */
  readonly make: (directory: string, root: NewNode) => Promise<void>
  /** For whoever holds the container. */
  readonly open: OpenUpper
  /** For somebody who only looks. */
  readonly look: OpenUpper
}

/** Uppers that are real directories, for a kernel to mount. */
export function directoryUppers(calls: SystemCalls): Uppers {
  const driver = () => import('../drivers/overlay2/directory-upper.js')
  const options = (layers: readonly Layer[]) => ({ calls, lowers: lowersBelow(layers) })
  return {
    make: async (directory, root) => (await driver()).makeDirectoryUpper(directory, root, { calls }),
    open: async (directory, layers) => (await driver()).openDirectoryUpper(directory, options(layers)),
    look: async (directory, layers) => (await driver()).lookAtDirectoryUpper(directory, options(layers)),
  }
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
