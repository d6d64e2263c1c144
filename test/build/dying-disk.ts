/** A disk of an upper whose process dies at one of its calls, or on which one call fails. */

import { UpperDisk } from '../../src/drivers/overlay2/upper-disk.js'
import { PhylloError } from '../../src/errors.js'
import type { SystemCalls } from '../../src/native/system-calls.js'

/** What only reads, or opens, or answers a name. */
const harmless: ReadonlySet<string | symbol> = new Set([
  'fresh',
  'hostPath',
  'fits',
  'open',
  'directory',
  'calls',
  'prepare',
])

export class Death extends Error {
  override readonly name = 'Death'
}

export interface Dying {
  readonly disk: UpperDisk
  /** It dies when so many more calls have been made. */
  left: number
  /** Since `left` was set. */
  made: number
  dead: boolean
  /** That one call fails like a full disk, instead. */
  fails: boolean
}

export function dyingDisk(directory: string, calls: SystemCalls): Dying {
  const real = new UpperDisk(directory, calls)
  const dying: { -readonly [K in keyof Dying]: Dying[K] } = {
    disk: real,
    left: Number.POSITIVE_INFINITY,
    made: 0,
    dead: false,
    fails: false,
  }
  dying.disk = new Proxy(real, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function' || harmless.has(property))
        return typeof value === 'function' ? value.bind(target) : value
      return (...args: unknown[]) => {
        if (dying.dead) throw new Death()
        if (dying.left-- <= 0) {
          dying.left = Number.POSITIVE_INFINITY
          if (dying.fails) throw new PhylloError('STORE_IO', 'no space', { errno: 'ENOSPC' })
          dying.dead = true
          throw new Death()
        }
        dying.made++
        return value.apply(target, args)
      }
    },
  })
  return dying
}
