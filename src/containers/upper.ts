/** The one place where a container gets the tree of what it has changed from its driver. */
import type { OpenUpper } from './container.js'

export const openDriversUpper: OpenUpper = async (directory, options) => {
  const { openPackedUpper } = await import('../drivers/packed/open-upper.js')
  return openPackedUpper(directory, options)
}
