/**
 * Which layers the kernel has mounted: a mount outlives the process that made it, so the mount itself says what it stands on. Its
 * source, the first word in /proc/mounts, is `phyllo:` and the cache-id of its topmost layer, however long the paths below are.
 *
 * Mounts of another mount namespace are not seen.
 */
import { readFile } from 'node:fs/promises'
import { isErrno } from '../../errors.js'

interface Mount {
  readonly target: string
  readonly type: string | undefined
  readonly source: string | undefined
}

const mountinfo = '/proc/self/mountinfo'
const prefix = 'phyllo:'

export function sourceOf(cacheId: string): string {
  return prefix + cacheId
}

/** The topmost layer of a mount of ours. */
export function layerOf({ type, source }: Mount): string | undefined {
  return type === 'overlay' && source?.startsWith(prefix) ? source.slice(prefix.length) : undefined
}

/** In the order in which they were made. */
export async function mountsHere(): Promise<Mount[]> {
  return mountsIn(await readFile(mountinfo, 'utf8'))
}

/** cache-ids of layers that are mounted as topmost ones. None where there is no /proc. */
export async function mountedLayers(): Promise<ReadonlySet<string>> {
  try {
    return new Set((await mountsHere()).flatMap(mount => layerOf(mount) ?? []))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return new Set()
    throw error
  }
}

function mountsIn(text: string): Mount[] {
  return text.split('\n').flatMap(line => {
    const words = line.split(' ')
    const separator = words.indexOf('-')
    if (separator < 0) return []
    return [{ target: plain(words[4]), type: words[separator + 1], source: words[separator + 2] }]
  })
}

/** The kernel writes what separates words by its octal number. */
function plain(word = ''): string {
  return word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
