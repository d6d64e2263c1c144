/** `phyllo/store.json`: what a program must know before it touches anything else of a store. */
import { PhylloError } from '../errors.js'
import { type Io, ifThere } from './io.js'
import { type DriverName, isDriverName } from './paths.js'

/** Format version that this program writes, and the newest that it understands. */
export const storeVersion = 1

export interface StoreFile {
  readonly version: number
  readonly driver: DriverName
  /** How writers exclude each other. Whoever cannot speak it opens the store read-only. */
  readonly lock: string
}

const maxBytes = 64 * 1024

/** What the store says of itself; undefined when there is no such file. */
export async function readStoreFile(io: Io, path: string): Promise<StoreFile | undefined> {
  const bytes = await ifThere(io.readFile(path, maxBytes))
  return bytes === undefined ? undefined : parseStoreFile(bytes.toString('utf8'), path)
}

/** Of a newer version nothing but version, driver and lock is looked at. */
export function parseStoreFile(text: string, path: string): StoreFile {
  const corrupt = (reason: string) => new PhylloError('STORE_CORRUPT', `${path}: ${reason}`, { path })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new PhylloError('STORE_CORRUPT', `${path}: not JSON`, { path, cause })
  }
  if (typeof value !== 'object' || value === null) throw corrupt('not a JSON object')
  const { version, driver, lock } = value as Record<string, unknown>
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) throw corrupt('no version')
  if (!isDriverName(driver)) {
    if (version <= storeVersion) throw corrupt('names no driver that there is')
    throw new PhylloError('STORE_VERSION', `${path}: version ${version} with a driver unknown to this program`, {
      path,
    })
  }
  if (typeof lock !== 'string') throw corrupt('names no lock protocol')
  return { version, driver, lock }
}

export function storeFileText(driver: DriverName): string {
  return `${JSON.stringify({ version: storeVersion, driver, lock: 'flock' } satisfies StoreFile)}\n`
}
