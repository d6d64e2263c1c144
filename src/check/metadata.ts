/**
 * What can be told from metadata alone: that it can be read, that what it names is there, and that it hashes to its names.
 *
 * Invariant: nothing is written. What somebody has set aside may come back and does not count as missing.
 */

import { type ContainerRecord, containerText } from '../containers/record.js'
import { ifThere } from '../disk/io.js'
import { storeFileText, storeVersion } from '../disk/store-file.js'
import { PhylloError } from '../errors.js'
import type { ImageStore } from '../images/image-store.js'
import { chainIdsOf } from '../oci/chain-id.js'
import { type ChainId, type DiffId, hexOf, type ImageId, isDigest } from '../oci/digest.js'
import { familiarName, familiarRepository, parseReference } from '../oci/reference.js'
import type { StoreParts } from '../store-parts.js'
import type { Found } from './kinds.js'
import { readRepositories, type Survey } from './survey.js'

const smallBytes = 64 * 1024
/** Docker notes where a layer came from, some 50 places at most. */
const notesBytes = 1024 * 1024

export async function checkMetadata(parts: StoreParts, survey: Survey): Promise<Found[]> {
  const { root } = parts
  return [
    ...(await storeFile(parts)),
    ...(await references(parts, survey)),
    ...damagedConfigs(parts, survey),
    ...(await imageMetadata(parts, survey)),
    ...damagedRecords(parts, survey),
    ...(await missingLayers(parts, survey)),
    ...(await containers(parts, survey)),
    ...(await distribution(root)),
  ]
}

async function storeFile({ root }: StoreParts): Promise<Found[]> {
  const { io, paths } = root
  const path = paths.storeFile
  const text = (await ifThere(io.readFile(path, smallBytes)))?.toString()
  if (text === storeFileText(paths.driver)) return []
  if (text === undefined) {
    // A root of Docker that nobody has written to yet has none
    const ours = (await ifThere(io.status(paths.owners))) !== undefined
    return ours ? [{ kind: 'store-file', path, reason: 'is not there', of: {} }] : []
  }
  const { version } = JSON.parse(text) as { version: number }
  if (version > storeVersion) return []
  return [{ kind: 'store-file', path, reason: 'says something else than this version writes', of: {} }]
}

async function references({ root, images }: StoreParts, { repositories }: Survey): Promise<Found[]> {
  const path = root.paths.repositories
  if (repositories === undefined) return []
  const read = readRepositories(repositories)
  if (read === undefined) return [{ kind: 'references', path, reason: 'is not JSON of its kind', of: {} }]
  const found: Found[] = []
  for (const [repository, keys] of read) {
    for (const [key, image] of keys) {
      const reason = await wrongReference(repository, key, image, images)
      const affected = isDigest(image) ? [image] : []
      if (reason !== undefined)
        found.push({ kind: 'reference', path, reason: `${key}: ${reason}`, of: { tags: [key], images: affected } })
    }
  }
  return found
}

async function wrongReference(
  repository: string,
  key: string,
  image: unknown,
  images: ImageStore,
): Promise<string | undefined> {
  try {
    const reference = parseReference(key)
    if (familiarName(reference) !== key || familiarRepository(reference) !== repository)
      return `is no name of repository ${repository}`
  } catch (error) {
    if (!(error instanceof PhylloError)) throw error
    return 'is no name of an image'
  }
  if (!isDigest(image)) return 'names no image'
  return (await images.has(image as ImageId)) ? undefined : `names ${image}, which is not there`
}

function damagedConfigs({ root }: StoreParts, { damagedImages }: Survey): Found[] {
  return damagedImages.map(({ id, error }) => {
    const path = root.paths.imageConfig(id)
    return { kind: 'image-config', path, reason: withoutPath(error.message, path), of: { images: [id] } }
  })
}

export function withoutPath(message: string, path: string): string {
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message
}

/** As RFC 3339 has it. */
const timeGrammar = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/

async function imageMetadata({ root, images }: StoreParts, survey: Survey): Promise<Found[]> {
  const { io, paths } = root
  const found: Found[] = []
  const directory = paths.imageMetadata(`sha256:${'0'.repeat(64)}` as ImageId).slice(0, -65)
  for (const name of ((await ifThere(io.readdir(directory))) ?? []).sort()) {
    const id: unknown = `sha256:${name}`
    if (!isDigest(id)) continue
    const at = paths.imageMetadata(id as ImageId)
    const of = { images: [id] }
    for (const key of (await ifThere(io.readdir(at))) ?? []) {
      const path = paths.below(at, key)
      const text = (await ifThere(io.readFile(path, smallBytes)))?.toString().trim()
      if (text === undefined) continue
      const reason = await wrongMetadata(key, text, images)
      if (reason !== undefined) found.push({ kind: 'image-metadata', path, reason, of })
    }
    const known = survey.images.has(id as ImageId) || survey.damagedImages.some(image => image.id === id)
    if (!known && !(await images.has(id as ImageId)))
      found.push({ kind: 'image-metadata', path: at, reason: 'there is no such image', of })
  }
  return found
}

async function wrongMetadata(key: string, text: string, images: ImageStore): Promise<string | undefined> {
  if (key === 'lastUpdated') return timeGrammar.test(text) && !Number.isNaN(Date.parse(text)) ? undefined : 'is no time'
  if (key !== 'parent') return undefined
  if (!isDigest(text)) return 'is no image'
  return (await images.has(text as ImageId)) ? undefined : `names ${text}, which is not there`
}

function damagedRecords({ root }: StoreParts, { damagedLayers }: Survey): Found[] {
  return damagedLayers.map(({ id, error }) => {
    const path = error.path ?? root.paths.layer(id)
    return { kind: 'layer-record', path, reason: withoutPath(error.message, path), of: { chains: [id] } }
  })
}

/** Layers that somebody needs, and contents that a record names. */
async function missingLayers({ root, layers }: StoreParts, survey: Survey): Promise<Found[]> {
  const needed = new Map<ChainId, { readonly by: string; readonly diffId?: DiffId }>()
  for (const { id, config } of [...survey.images.values(), ...survey.containers])
    for (const [at, chain] of chainIdsOf(config?.diffIds ?? []).entries())
      needed.set(chain, { by: id, diffId: config!.diffIds[at]! })
  for (const { chainId, parent } of survey.layers.values())
    if (parent !== undefined && !needed.has(parent)) needed.set(parent, { by: chainId })
  const damaged = new Set(survey.damagedLayers.map(({ id }) => id))
  const found: Found[] = []
  for (const [chain, { by }] of needed) {
    if (survey.layers.has(chain) || damaged.has(chain)) continue
    const path = root.paths.layer(chain)
    if ((await root.inLimbo(path)).length > 0) continue
    found.push({ kind: 'layer-missing', path, reason: `is not there, and ${by} needs it`, of: { chains: [chain] } })
  }
  for (const { chainId, diffId, cacheId } of survey.layers.values()) {
    const wanted = layers.driver.cacheIdOf(diffId)
    const path = root.paths.layerContent(cacheId)
    const of = { chains: [chainId] }
    if (wanted !== undefined && wanted !== cacheId)
      found.push({
        kind: 'layer-record',
        path: root.paths.below(root.paths.layer(chainId), 'cache-id'),
        reason: `is not ${wanted}`,
        of,
      })
    else if (!(await layers.driver.hasContent(cacheId)) && (await root.inLimbo(path)).length === 0)
      found.push({ kind: 'layer-content', path, reason: 'is not there', of })
  }
  return found
}

async function containers({ root }: StoreParts, survey: Survey): Promise<Found[]> {
  const { io, paths } = root
  const found: Found[] = []
  for (const { id, error } of survey.damagedContainers) {
    const path = paths.container(id)
    found.push({ kind: 'container-record', path, reason: withoutPath(error.message, path), of: { containers: [id] } })
  }
  for (const record of survey.containers) {
    const { id, mountId, chainId } = record
    const of = { containers: [id] }
    const path = paths.container(id)
    const text = (await ifThere(io.readFile(path, 64 * notesBytes)))?.toString()
    if (text !== undefined && !isAsWritten(text, record))
      found.push({ kind: 'container-record', path, reason: 'is not as it was written', of })
    for (const [name, wanted] of [
      ['mount-id', mountId],
      ['parent', chainId],
    ] as const) {
      const file = paths.below(paths.mount(id), name)
      const there = (await ifThere(io.readFile(file, smallBytes)))?.toString().trim()
      if (there === wanted) continue
      const reason = there === undefined ? 'is not there' : `is not ${wanted ?? 'of a container without layers'}`
      found.push({ kind: 'mount', path: file, reason, of })
    }
    const upper = paths.containerUpper(mountId)
    if ((await ifThere(io.status(upper))) === undefined)
      found.push({ kind: 'container-content', path: upper, reason: 'is not there', of })
  }
  const known = new Set([...survey.containers.map(({ id }) => id), ...survey.damagedContainers.map(({ id }) => id)])
  return [...found, ...(await otherMounts({ root, known }, survey))]
}

/** Earlier versions wrote no checksum. */
function isAsWritten(text: string, record: ContainerRecord): boolean {
  const written = containerText(record)
  return text === written || text === written.replace(/,"sum":"[^"]*"\}\n$/, '}\n')
}

/** Mounts of Docker's containers, and of ours that are being made: what they name is there. */
async function otherMounts(
  { root: { io, paths }, known }: { readonly root: StoreParts['root']; readonly known: ReadonlySet<string> },
  survey: Survey,
): Promise<Found[]> {
  const found: Found[] = []
  for (const name of (await ifThere(io.readdir(paths.mounts))) ?? []) {
    if (known.has(name)) continue
    const file = paths.below(paths.mount(name), 'parent')
    const parent: unknown = (await ifThere(io.readFile(file, smallBytes)))?.toString().trim()
    const of = { containers: [name] }
    if (parent === undefined) continue
    if (!isDigest(parent)) found.push({ kind: 'mount', path: file, reason: 'is no layer', of })
    else if (!survey.layers.has(parent as string as ChainId))
      found.push({ kind: 'mount', path: file, reason: `names ${hexOf(parent)}, which is not there`, of })
  }
  return found
}

async function distribution({ io, paths }: StoreParts['root']): Promise<Found[]> {
  const found: Found[] = []
  for (const [kind, isGood] of [
    ['diffid-by-digest', (text: string) => isDigest(text.trim())],
    ['v2metadata-by-diffid', isJsonList],
  ] as const) {
    const directory = paths.below(paths.image, `distribution/${kind}/sha256`)
    for (const name of (await ifThere(io.readdir(directory))) ?? []) {
      const path = paths.below(directory, name)
      const text = (await ifThere(io.readFile(path, notesBytes)))?.toString()
      if (text !== undefined && !isGood(text))
        found.push({ kind: 'distribution', path, reason: 'cannot be read', of: {} })
    }
  }
  return found
}

function isJsonList(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}
