/**
 * Which layers the kernel has mounted: a mount outlives the process that made it, so the mount itself says what it stands on. Its
 * source, the first word in /proc/mounts, is `phyllo:` and the cache-id of its topmost layer, however long the paths below are.
 *
 * Mounts of another mount namespace are not seen.
 */
import { type Mount, mountTable } from './mount-table.js'

const prefix = 'phyllo:'

export function sourceOf(cacheId: string): string {
  return prefix + cacheId
}

/** The topmost layer of a mount of ours. */
export function layerOf({ type, source }: Mount): string | undefined {
  return type === 'overlay' && source?.startsWith(prefix) ? source.slice(prefix.length) : undefined
}

/** cache-ids of layers that are mounted as topmost ones. None where there is no /proc. */
export async function mountedLayers(): Promise<ReadonlySet<string>> {
  return new Set((await mountTable()).flatMap(mount => layerOf(mount) ?? []))
}
