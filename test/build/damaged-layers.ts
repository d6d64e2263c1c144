/** Layers whose contents have rotten: one bit each. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Every layer that has a file `usr/lib/7` (driver overlay2), or all (driver packed). */
export function damageLayers(root: string): void {
  const driver = existsSync(join(root, 'overlay2')) ? 'overlay2' : 'packed'
  for (const name of readdirSync(join(root, driver))) {
    const path = join(root, driver, name, ...(driver === 'packed' ? [] : ['diff/usr/lib/7']))
    if (name === 'containers' || !existsSync(path)) continue
    const bytes = readFileSync(path)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(path, bytes)
  }
}
