/** Which of several images that stand for one thing is taken: the platform asked for, or this machine's. */
import type { Descriptor } from '../oci/descriptor.js'
import {
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  type Platform,
  platformMatches,
  selectPlatform,
} from '../oci/platform.js'
import type { Reference } from '../oci/reference.js'

export interface Candidate {
  readonly descriptor: Descriptor
  readonly platform: Platform | undefined
}

/** Images between which the platform decides. */
export interface Group {
  readonly references: readonly Reference[]
  readonly candidates: readonly Candidate[]
  /** One image is taken; otherwise all of the best platform are. */
  readonly single: boolean
}

export interface Choice {
  readonly descriptor: Descriptor
  readonly references: readonly Reference[]
}

/**
 * Without a wish, a group of one image is taken whatever its platform is, and of several the host's. With a wish,
 * groups that have no such image are passed over, as long as one has. Throws PLATFORM_NOT_FOUND.
 */
export function chooseImages(groups: readonly Group[], wish: Platform | undefined, what: string): Choice[] {
  const choices: Choice[] = []
  for (const group of groups) {
    const best = bestOf(group, wish, what)
    const all = group.single
      ? best.slice(0, 1)
      : best.filter(({ platform }) => samePlatform(platform, best[0]?.platform))
    for (const { descriptor } of all) choices.push({ descriptor, references: group.references })
  }
  if (wish !== undefined && choices.length === 0 && groups.length > 0)
    selectPlatform(
      groups.flatMap(({ candidates }) => candidates),
      wish,
      what,
    )
  return choices
}

function bestOf({ candidates }: Group, wish: Platform | undefined, what: string): readonly Candidate[] {
  if (wish !== undefined) return platformMatches(candidates, wish)
  if (candidates.length === 1) return candidates
  const host = hostPlatform()
  selectPlatform(candidates, host, what)
  return platformMatches(candidates, host)
}

function samePlatform(a: Platform | undefined, b: Platform | undefined): boolean {
  const text = (platform: Platform | undefined) => platform && formatPlatform(normalizePlatform(platform))
  return text(a) === text(b)
}
