/** A store whose store.json cannot be read cannot be opened: this is what comes before a repair. */
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { failedWith, ifThere, nodeIo as io } from '../disk/io.js'
import { StorePaths } from '../disk/paths.js'
import { readStoreFile, storeFileText, storeVersion } from '../disk/store-file.js'
import { PhylloError } from '../errors.js'

const maxBytes = 64 * 1024

/**
 * Moves a store.json that is damaged to the quarantine; whoever opens the store next for writing makes it anew, by what else there is.
 * Answers where it is; undefined when it can be read, or is that of a newer version.
 */
export async function restoreStoreFile(root: string): Promise<string | undefined> {
  const paths = new StorePaths(resolve(root), 'packed')
  if (!(await isDamaged(paths.storeFile))) return undefined
  try {
    await io.mkdir(paths.quarantine, 0o700)
  } catch (error) {
    if (!failedWith(error, 'EEXIST')) throw error
  }
  const name = `${paths.placeOf(paths.storeFile)}@${randomBytes(8).toString('hex')}.0`
  const to = paths.below(paths.quarantine, name)
  await ifThere(io.rename(paths.storeFile, to))
  await io.sync(paths.quarantine)
  return to
}

/** Also one of this version that says something else than this version writes. */
async function isDamaged(path: string): Promise<boolean> {
  try {
    const file = await readStoreFile(io, path)
    if (file === undefined || file.version > storeVersion) return false
    return (await io.readFile(path, maxBytes)).toString() !== storeFileText(file.driver)
  } catch (error) {
    if (error instanceof PhylloError && error.code === 'STORE_CORRUPT') return true
    if (error instanceof PhylloError && error.code === 'STORE_VERSION') return false
    throw error
  }
}
