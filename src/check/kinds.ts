/** Everything that a check can find, and the depth from which on it does. The same table stands in docs/check.md. */
import type { Finding } from '../operation.js'

export const depths = ['metadata', 'structure', 'full'] as const
export type CheckDepth = (typeof depths)[number]

/** kind → what it means. */
export const findingKinds = {
  'store-file': 'phyllo/store.json is not what was written.',
  references: 'repositories.json cannot be read.',
  reference: 'A name in repositories.json is none, or names an image that is not there.',
  'image-config': 'An image config does not hash to its name, or is none.',
  'image-metadata': 'Beside an image config: a parent that is not there, a time that is none, or metadata of no image.',
  'layer-record': 'A file of a layer in layerdb is damaged, missing, or says something else than the layer itself.',
  'layer-missing': 'An image, a container or a layer needs a layer that is not there.',
  'layer-content': 'The content of a layer is damaged or not there.',
  directory: 'A file beside the diff of a layer or container of driver overlay2 is damaged or missing.',
  link: 'A short name of driver overlay2 leads nowhere, or elsewhere.',
  'container-record': 'The record of a container is damaged.',
  mount: 'The mount of a container in layerdb is damaged, missing, or says something else than the container.',
  'container-content': 'What a container has changed is damaged or not there.',
  distribution: 'A note of where a layer came from is damaged.',
  blob: 'A kept blob does not hash to its name.',
  unreadable: 'Reading failed; the reason is of the system.',
} as const

export type FindingKind = keyof typeof findingKinds

/** A finding before it is known what it affects. */
export interface Found {
  readonly kind: FindingKind
  readonly path: string
  readonly reason: string
  /** Whoever needs one of these is affected. */
  readonly of: Affected
}

/** All of these may be absent. */
export interface Affected {
  readonly images?: readonly string[]
  readonly tags?: readonly string[]
  readonly containers?: readonly string[]
  readonly chains?: readonly string[]
  readonly diffIds?: readonly string[]
}

export type { Finding }
