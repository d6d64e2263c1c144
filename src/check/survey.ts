/**
 * All metadata of a store as it is at one time, damaged or not, and who needs what.
 *
 * Invariant: what refers is read before what is referred to, so that what goes while we read is not taken for missing.
 */
import { ContainerStore } from '../containers/container-store.js'
import type { ContainerRecord } from '../containers/record.js'
import { ifThere } from '../disk/io.js'
import { PhylloError } from '../errors.js'
import type { ImageRecord } from '../images/image-store.js'
import type { LayerRecord } from '../layers/record.js'
import { MiB } from '../limits.js'
import { chainIdsOf } from '../oci/chain-id.js'
import type { ChainId, DiffId, ImageId } from '../oci/digest.js'
import type { Finding } from '../operation.js'
import type { StoreParts } from '../store-parts.js'
import type { Affected, Found } from './kinds.js'

export interface Damaged<Id> {
  readonly id: Id
  readonly error: PhylloError
}

export interface Survey {
  /** repositories.json, as it stands; undefined when there is none. */
  readonly repositories: Buffer | undefined
  readonly containers: readonly ContainerRecord[]
  readonly damagedContainers: readonly Damaged<string>[]
  readonly images: ReadonlyMap<ImageId, ImageRecord>
  readonly damagedImages: readonly Damaged<ImageId>[]
  readonly layers: ReadonlyMap<ChainId, LayerRecord>
  readonly damagedLayers: readonly Damaged<ChainId>[]
  /** Names by image, as far as they can be read. */
  readonly tags: ReadonlyMap<string, readonly string[]>
}

/** Bytes of repositories.json at most: see reference-store.ts. */
export const repositoriesBytes = 64 * MiB

export async function surveyOf({ root, layers, images, limits }: StoreParts): Promise<Survey> {
  const repositories = await ifThere(root.io.readFile(root.paths.repositories, repositoriesBytes))
  const { records, damaged } = await new ContainerStore(root, layers, limits).scan()
  const found = new Map<ImageId, ImageRecord>()
  const damagedImages: Damaged<ImageId>[] = []
  for (const id of await images.list()) {
    try {
      const image = await images.get(id)
      if (image !== undefined) found.set(id, image)
    } catch (error) {
      if (!(error instanceof PhylloError)) throw error
      damagedImages.push({ id, error })
    }
  }
  const scan = await layers.scan()
  return {
    repositories,
    containers: records,
    damagedContainers: damaged,
    images: found,
    damagedImages,
    layers: new Map(scan.records.map(record => [record.chainId, record])),
    damagedLayers: scan.damaged.map(({ chainId, error }) => ({ id: chainId, error })),
    tags: tagsOf(repositories),
  }
}

/** repository → (reference → image), as far as it can be read; undefined when it cannot. */
export function readRepositories(bytes: Buffer): Map<string, Map<string, unknown>> | undefined {
  try {
    const { Repositories } = JSON.parse(bytes.toString('utf8')) as { Repositories?: unknown }
    if (!isObject(Repositories ?? {})) return undefined
    const read = new Map<string, Map<string, unknown>>()
    for (const [repository, keys] of Object.entries(Repositories ?? {})) {
      if (!isObject(keys)) return undefined
      read.set(repository, new Map(Object.entries(keys)))
    }
    return read
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined
    throw error
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function tagsOf(repositories: Buffer | undefined): Map<string, string[]> {
  const tags = new Map<string, string[]>()
  for (const keys of (repositories && readRepositories(repositories))?.values() ?? [])
    for (const [key, image] of keys) tags.set(String(image), [...(tags.get(String(image)) ?? []), key])
  return tags
}

/** diffIds of every image and container, by its id. */
function stacksOf(survey: Survey): {
  readonly images: [string, readonly DiffId[]][]
  readonly containers: [string, readonly DiffId[]][]
} {
  return {
    images: [...survey.images.values()].map(({ id, config }) => [id, config.diffIds]),
    containers: survey.containers.map(({ id, config }) => [id, config?.diffIds ?? []]),
  }
}

export function findingOf({ kind, path, reason, of }: Found, survey: Survey): Finding {
  return { kind, path, reason, affects: affectsOf(of, survey) }
}

function affectsOf(of: Affected, survey: Survey): Finding['affects'] {
  const chains = new Set(of.chains)
  const diffIds = new Set(of.diffIds)
  const needs = (stack: readonly DiffId[]) =>
    stack.some(diffId => diffIds.has(diffId)) || (chains.size > 0 && chainIdsOf(stack).some(chain => chains.has(chain)))
  const stacks = stacksOf(survey)
  const users = (all: [string, readonly DiffId[]][]) => all.filter(([, stack]) => needs(stack)).map(([id]) => id)
  const images = new Set([...(of.images ?? []), ...users(stacks.images)])
  const containers = new Set([...(of.containers ?? []), ...users(stacks.containers)])
  const tags = new Set([...(of.tags ?? []), ...[...images].flatMap(id => survey.tags.get(id) ?? [])])
  return { images: [...images].sort(), tags: [...tags].sort(), containers: [...containers].sort() }
}
