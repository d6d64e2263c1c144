/** What an open store directory is made of. */
import type { Flock } from '../native/flock.js'
import type { Durability } from './commit.js'
import type { Io } from './io.js'
import type { Owner } from './owner.js'
import type { StorePaths } from './paths.js'
import type { Reserve } from './reserve.js'

/** What only a root that is open for writing has. */
export interface Writing {
  readonly owner: Owner
  readonly flock: Flock
  readonly lockTimeoutMs: number
}

/** Why nothing may be written, and which error says so. */
export interface ReadOnly {
  readonly reason: string
  readonly code: 'STORE_READ_ONLY' | 'STORE_VERSION'
}

export interface RootParts {
  readonly io: Io
  readonly paths: StorePaths
  readonly durability: Durability
  readonly mode: Writing | ReadOnly
  readonly reserve?: Reserve
}

/** What a root and the same root for freeing share. */
export interface Life {
  sweeping: Promise<void>
  closing: Promise<void> | undefined
  /** Nothing may be written any more. What this process could not take away is tried once more before. */
  ended: boolean
}
