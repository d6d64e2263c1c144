/** Repairs of what stands under image/: names, configs, and what is kept beside them. */
import { basename, dirname } from 'node:path'
import { ifThere } from '../disk/io.js'
import { PhylloError } from '../errors.js'
import { type ImageId, isDigest, sha256Digest } from '../oci/digest.js'
import { goJson, sortedMap } from '../oci/go-json.js'
import { familiarName, familiarRepository, parseReference } from '../oci/reference.js'
import type { Finding } from './kinds.js'
import { left, type Mend, type Mended, type Mending, moveAway, quarantined, repaired, replaceSmall } from './mend.js'
import { withoutFlippedBit } from './single-bit.js'
import { readRepositories, repositoriesBytes } from './survey.js'

/** repository → (reference → image). */
type Names = Map<string, Map<string, unknown>>

/** The whole file at once: every finding in it is one of these. */
export const mendReferences: Mend = async (_finding, { parts, sources, survey }) => {
  const { root } = parts
  const path = root.paths.repositories
  const known = new Set<string>([...survey.images.keys(), ...survey.damagedImages.map(({ id }) => id)])
  for (const image of sources.names().values())
    if (!known.has(image) && (await putConfig(image, { parts, sources, survey }))) known.add(image)
  return root.withLock(async (): Promise<Mended> => {
    const bytes = await ifThere(root.io.readFile(path, repositoriesBytes))
    if (bytes === undefined) return left('it is gone')
    const names = readRepositories(bytes)
    if (names !== undefined && isWhole(names, known)) return repaired('by an earlier repair')
    const healed = await withoutFlippedBit(bytes, one => {
      const read = readRepositories(one)
      return read !== undefined && isWhole(read, known)
    })
    if (healed !== undefined) {
      await replaceSmall(root, path, healed, 0o600)
      return repaired('one bit had fallen over')
    }
    const kept = new Map<string, Map<string, string>>()
    const put = (name: string, image: string) => {
      const repository = familiarRepository(parseReference(name))
      kept.set(repository, (kept.get(repository) ?? new Map()).set(name, image))
    }
    const lost = new Set<string>()
    for (const [repository, keys] of names ?? [])
      for (const [key, image] of keys) {
        if (isGood(repository, key, image, known)) put(key, image as string)
        else lost.add(key)
      }
    for (const [name, image] of sources.names()) {
      if (known.has(image) && (names === undefined || lost.has(name) || !has(names, name))) put(name, image)
      lost.delete(name)
    }
    const sorted = sortedMap(new Map([...kept].map(([repository, keys]) => [repository, sortedMap(keys)])))
    await replaceSmall(root, path, goJson({ Repositories: sorted }), 0o600)
    const gone = [...lost].sort().join(', ')
    return names !== undefined && lost.size === 0
      ? repaired('out of the archive')
      : quarantined(`names that are gone: ${gone || 'not known'}`)
  })
}

function has(names: Names, name: string): boolean {
  return [...names.values()].some(keys => keys.has(name))
}

function isWhole(names: Names, known: ReadonlySet<string>): boolean {
  for (const [repository, keys] of names)
    for (const [key, image] of keys) if (!isGood(repository, key, image, known)) return false
  return true
}

function isGood(repository: string, key: string, image: unknown, known: ReadonlySet<string>): boolean {
  if (typeof image !== 'string' || !known.has(image)) return false
  try {
    const reference = parseReference(key)
    return familiarName(reference) === key && familiarRepository(reference) === repository
  } catch (error) {
    if (error instanceof PhylloError) return false
    throw error
  }
}

/** An image that a name needs, out of the archive. */
async function putConfig(id: ImageId, { parts, sources, survey }: Omit<Mending, 'op'>): Promise<boolean> {
  const bytes = sources.config(id, survey)
  const isNeeded = [...survey.tags.keys()].includes(id)
  if (bytes === undefined || !isNeeded) return false
  await parts.images.put(bytes)
  return true
}

export const mendConfig: Mend = async ({ path }, { parts, sources, survey }) => {
  const { root } = parts
  const id = `sha256:${basename(path)}` as ImageId
  const damaged = await ifThere(root.io.readFile(path, parts.limits.jsonBytes))
  const known = sources.config(id, survey)
  const bytes = known ?? (damaged && (await withoutFlippedBit(damaged, one => sha256Digest(one) === id)))
  if (bytes !== undefined) {
    await replaceSmall(root, path, bytes, 0o600)
    return repaired(known === undefined ? 'one bit had fallen over' : 'from another copy')
  }
  await root.quarantine(root.paths.imageMetadata(id))
  return moveAway(root, path)
}

export const mendMetadata: Mend = async ({ path }, mending) => {
  const { parts, sources, survey } = mending
  const { root, images } = parts
  const [key, id] = [basename(path), `sha256:${basename(dirname(path))}` as ImageId]
  if (!isDigest(id)) {
    const own = `sha256:${key}` as ImageId
    const config = sources.config(own, survey)
    if (config === undefined) return moveAway(root, path)
    await images.put(config)
    return repaired('the image is back')
  }
  if (key !== 'parent') return moveAway(root, path)
  const damaged = await ifThere(root.io.readFile(path, 4096))
  if (damaged === undefined) return left('it is gone')
  const known = new Set<string>(survey.images.keys())
  const there = damaged.toString().trim()
  const said = sources.parentOf(id) ?? (isDigest(there) ? (there as ImageId) : undefined)
  const config = said && !known.has(said) ? sources.config(said, survey) : undefined
  if (config !== undefined) known.add(await images.put(config))
  const healed =
    (said && known.has(said) ? said : undefined) ??
    (await withoutFlippedBit(damaged, one => known.has(one.toString().trim())))?.toString()
  if (healed === undefined) return moveAway(root, path)
  if (healed !== there) await replaceSmall(root, path, healed, 0o600)
  return repaired('names its image again')
}

/** What cannot be healed goes as a whole, so that what is left can be used, and loaded again. */
export async function quarantineImages({ affects }: Finding, { parts }: Mending): Promise<void> {
  const { root, references } = parts
  await root.keep(root.paths.repositories)
  const gone = new Set(affects.images)
  await references.edit(async names => {
    for (const { reference, imageId } of names.list()) if (gone.has(imageId)) names.remove(reference)
  })
  for (const id of affects.images) {
    await root.quarantine(root.paths.imageMetadata(id as ImageId))
    await root.quarantine(root.paths.imageConfig(id as ImageId))
  }
}
