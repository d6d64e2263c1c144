/**
 * What a store knows of one container: `phyllo/containers/<id>.json`.
 *
 * Invariants:
 * - Written once, when the container is made, and never changed: whoever has the container open holds a lock on this very file.
 * - Its last field is the sha256 of the others. One without it, of an earlier version, is read all the same.
 * - The copy of the image config is its exact text: container, diff and commit need nothing of an image that is gone.
 */
import { ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { PhylloError } from '../errors.js'
import { type Limits, MiB } from '../limits.js'
import { chainIdsOf } from '../oci/chain-id.js'
import { type ImageConfig, parseImageConfig } from '../oci/config.js'
import { type ChainId, type ImageId, isDigest, sha256Digest } from '../oci/digest.js'

/** How a container behaves, for as long as it lives. */
export interface ContainerBounds {
  /** Bytes of contents that it may have of its own; EDQUOT beyond. Default: no bound. */
  readonly maxBytes?: number
  /** Files, directories and other things that it may have of its own; EDQUOT beyond. Default: no bound. */
  readonly maxEntries?: number
  /** Whether directories that show something of the image can be renamed; `exdev` is the kernel's default. Default `copy`. */
  readonly directoryRename?: 'copy' | 'exdev'
}

/** A container as it was made. */
export interface ContainerInfo {
  /** 64 hex digits. */
  readonly id: string
  readonly name: string
  /** The words that named the image; `scratch` when there is none below. */
  readonly image: string
  /** Undefined: made from scratch. */
  readonly imageId: ImageId | undefined
  /** RFC 3339. */
  readonly created: string
  /** The image's config as it was; undefined for one from scratch. */
  readonly config: ImageConfig | undefined
  readonly bounds: ContainerBounds
  /** If sizes were asked for: bytes of what is its own, as `docker ps -s` counts them. */
  readonly sizeBytes?: number
  /** The same with all of the image's layers. */
  readonly virtualBytes?: number
}

export interface ContainerRecord extends ContainerInfo {
  /** The stack of layers below; undefined for one without layers. */
  readonly chainId: ChainId | undefined
  /** Exact bytes of the image config. */
  readonly configBytes: Buffer | undefined
  /** Name of the directory with what the container has changed: 64 hex digits. */
  readonly mountId: string
}

const recordVersion = 1
/** The config's text with every character escaped, and a page for the rest. */
const maxBytes = 64 * MiB
const idGrammar = /^[0-9a-f]{64}$/

/** The id that a file name of `phyllo/containers` stands for; undefined for what is no record. */
export function idOfFile(name: string): string | undefined {
  const id = name.endsWith('.json') ? name.slice(0, -'.json'.length) : ''
  return idGrammar.test(id) ? id : undefined
}

/** @throws STORE_CORRUPT naming the file, STORE_VERSION */
export async function readContainer(
  { io, paths }: Pick<Root, 'io' | 'paths'>,
  id: string,
  limits: Limits,
): Promise<ContainerRecord | undefined> {
  const path = paths.container(id)
  const bytes = await ifThere(io.readFile(path, maxBytes))
  return bytes && parseContainer(bytes.toString('utf8'), { path, id, limits })
}

/** With a checksum, so that what has no other copy in the store (name, time, bounds) cannot change unseen. */
export function containerText(record: ContainerRecord): string {
  const { id, name, image, imageId, chainId, configBytes, created, mountId, bounds } = record
  const imageConfig = configBytes?.toString('utf8')
  const made = { version: recordVersion, id, name, image, imageId, chainId, created, mountId, bounds, imageConfig }
  return `${JSON.stringify({ ...made, sum: sumOf(made) })}\n`
}

function sumOf(fields: object): string {
  return sha256Digest(JSON.stringify(fields))
}

export interface ContainerSource {
  readonly path: string
  readonly id: string
  readonly limits: Limits
}

/** @throws STORE_CORRUPT, STORE_VERSION */
export function parseContainer(text: string, { path, id, limits }: ContainerSource): ContainerRecord {
  const corrupt = (reason: string, cause?: unknown) =>
    new PhylloError('STORE_CORRUPT', `${path}: ${reason}`, { path, ...(cause !== undefined && { cause }) })
  const fields = jsonObject(text, corrupt)
  const { version, name, image, created, mountId } = fields
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) throw corrupt('no version')
  if (version > recordVersion)
    throw new PhylloError('STORE_VERSION', `${path}: version ${version}, this program knows ${recordVersion}`, { path })
  const { sum, ...summed } = fields
  if (sum !== undefined && sum !== sumOf(summed)) throw corrupt('does not have its checksum')
  if (fields.id !== id) throw corrupt('the record of another container')
  if (typeof name !== 'string' || typeof image !== 'string') throw corrupt('no name or no image')
  if (typeof created !== 'string' || Number.isNaN(Date.parse(created))) throw corrupt('no time')
  if (typeof mountId !== 'string' || !idGrammar.test(mountId)) throw corrupt('no mountId')
  const of = { id, name, image, created, mountId, bounds: boundsOf(fields.bounds, corrupt) }
  if (fields.imageConfig === undefined && fields.imageId === undefined)
    return { ...of, imageId: undefined, config: undefined, configBytes: undefined, chainId: undefined }
  const configBytes = Buffer.from(String(fields.imageConfig))
  const imageId = sha256Digest<ImageId>(configBytes)
  if (!isDigest(fields.imageId) || imageId !== (fields.imageId as ImageId))
    throw corrupt('the image config does not hash to the id of the image')
  const config = parseImageConfig(configBytes, { limits, what: `image config of ${path}` })
  const chainId = chainIdsOf(config.diffIds).at(-1)
  if (chainId !== fields.chainId) throw corrupt('the chain is not that of the image config')
  return { ...of, imageId, config, configBytes, chainId }
}

type Corrupt = (reason: string, cause?: unknown) => PhylloError

function jsonObject(text: string, corrupt: Corrupt): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw corrupt('not JSON', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corrupt('not a JSON object')
  return value as Record<string, unknown>
}

function boundsOf(value: unknown, corrupt: Corrupt): ContainerBounds {
  if (typeof value !== 'object' || value === null) throw corrupt('no bounds')
  try {
    return checkBounds(value)
  } catch (cause) {
    throw corrupt('bounds that cannot be', cause)
  }
}

/** What a record says to its users. */
export function infoOf({ id, name, image, imageId, created, config, bounds }: ContainerRecord): ContainerInfo {
  return { id, name, image, imageId, created, config, bounds }
}

/** The bounds alone of what a user gave. @throws TypeError */
export function checkBounds(given: ContainerBounds): ContainerBounds {
  const { maxBytes, maxEntries, directoryRename } = given
  for (const [name, bound] of Object.entries({ maxBytes, maxEntries }))
    if (bound !== undefined && (!Number.isSafeInteger(bound) || bound < 0))
      throw new TypeError(`${name} is a whole number of 0 or more, not ${String(bound)}`)
  if (directoryRename !== undefined && directoryRename !== 'copy' && directoryRename !== 'exdev')
    throw new TypeError(`directoryRename is copy or exdev, not ${String(directoryRename)}`)
  return {
    ...(maxBytes !== undefined && { maxBytes }),
    ...(maxEntries !== undefined && { maxEntries }),
    ...(directoryRename !== undefined && { directoryRename }),
  }
}
