/**
 * Image configs (OCI image-spec config.md and what Docker adds): a typed view of bytes that the caller keeps, for the
 * image's id is their digest and nothing is ever written from this view.
 *
 * Invariants: no more non-empty history entries than layers; `diffIds` are digests; times parse.
 */
import { limitError } from '../limits.js'
import type { DocumentOptions } from './descriptor.js'
import { type DiffId, parseDigest } from './digest.js'
import { parseTime } from './go-json.js'
import { type JsonObject, type JsonValue, parseJson, refuseCaseVariants } from './json.js'
import {
  arrayField,
  asObject,
  booleanField,
  inside,
  objectField,
  own,
  refuseField,
  stringField,
  stringMapField,
  stringsField,
  type Where,
} from './json-field.js'
import type { Platform } from './platform.js'

export interface HistoryEntry {
  /** RFC 3339, verbatim. */
  readonly created?: string
  readonly createdBy?: string
  readonly author?: string
  readonly comment?: string
  /** The step made no layer. The k-th entry that is not empty belongs to the k-th layer. */
  readonly emptyLayer: boolean
}

/** How a container of the image is to be run. Fields that the config lacks, or that are null, are undefined. */
export interface ContainerConfig {
  readonly user?: string
  readonly workingDir?: string
  readonly stopSignal?: string
  readonly env?: readonly string[]
  readonly cmd?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly shell?: readonly string[]
  readonly onBuild?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  /** `80/tcp`, … */
  readonly exposedPorts?: readonly string[]
  /** Absolute paths. */
  readonly volumes?: readonly string[]
}

export interface ImageConfig extends Platform {
  readonly created?: string
  readonly author?: string
  readonly comment?: string
  readonly dockerVersion?: string
  readonly container?: string
  readonly config?: ContainerConfig
  /** Base first. */
  readonly diffIds: readonly DiffId[]
  readonly history: readonly HistoryEntry[]
  /** The whole document, with what this view does not name (Healthcheck, container_config, BuildKit's keys). */
  readonly json: JsonObject
}

const topKeys = [
  'architecture',
  'author',
  'comment',
  'config',
  'container',
  'container_config',
  'created',
  'docker_version',
  'history',
  'os',
  'os.version',
  'os.features',
  'rootfs',
  'variant',
] as const

const rootfsKeys = ['type', 'diff_ids'] as const
const historyKeys = ['created', 'created_by', 'author', 'comment', 'empty_layer'] as const

/**
 * The view of an image config's bytes. Throws CONFIG_INVALID, DIGEST_SYNTAX, MANIFEST_AMBIGUOUS (duplicate keys, case
 * variants of the keys that identity hangs on) or LIMIT_EXCEEDED.
 */
export function parseImageConfig(bytes: Uint8Array, options: DocumentOptions): ImageConfig {
  const view = viewImageConfig(bytes, options)
  // Whatever is wrong with these is said now.
  void [view.history, view.config]
  return view
}

/**
 * The same of a config that was parsed when it came in. `history` and `config` are half of the work, and most listings ask for
 * neither: they are looked at, and throw, when they are asked for.
 */
export function viewImageConfig(bytes: Uint8Array, options: DocumentOptions): ImageConfig {
  const where: Where = { what: options.what, code: 'CONFIG_INVALID' }
  const { limits, what } = options
  const object = asObject(parseJson(bytes, { limits, what, code: 'CONFIG_INVALID', keys: topKeys }), where)
  const diffIds = parseDiffIds(object, where, options)
  const config = objectField(object, 'config', where)
  const view = {
    os: stringField(object, 'os', where) ?? '',
    architecture: stringField(object, 'architecture', where) ?? '',
    ...texts(object, where, { variant: 'variant', osVersion: 'os.version' }),
    ...lists(object, where, { osFeatures: 'os.features' }),
    ...time(object, where),
    ...texts(object, where, {
      author: 'author',
      comment: 'comment',
      dockerVersion: 'docker_version',
      container: 'container',
    }),
    diffIds,
    json: object,
  }
  if (config !== undefined) whenAsked(view, 'config', () => parseContainerConfig(config, inside(where, 'config')))
  return whenAsked(view, 'history', () => parseHistory(object, diffIds.length, where))
}

/** Gives it a property that is made at its first use. */
function whenAsked<T extends object, N extends string, V>(
  target: T,
  name: N,
  make: () => V,
): T & Readonly<Record<N, V>> {
  const get = () => {
    const value = make()
    Object.defineProperty(target, name, { value, enumerable: true })
    return value
  }
  Object.defineProperty(target, name, { get, enumerable: true, configurable: true })
  return target as T & Readonly<Record<N, V>>
}

/** Throws MANIFEST_INVALID unless the manifest names as many layers as the config. */
export function requireLayerCount({ diffIds }: Pick<ImageConfig, 'diffIds'>, layers: number, what: string): void {
  if (layers === diffIds.length) return
  refuseField({ what, code: 'MANIFEST_INVALID' }, `has ${layers} layers, the image config has ${diffIds.length}`)
}

function parseDiffIds(object: JsonObject, where: Where, { limits }: DocumentOptions): DiffId[] {
  const rootfs = objectField(object, 'rootfs', where) ?? refuseField(where, 'has no rootfs')
  const inRootfs = inside(where, 'rootfs')
  refuseCaseVariants(rootfs, rootfsKeys, inRootfs.what)
  const type = stringField(rootfs, 'type', inRootfs) ?? 'layers'
  if (type !== 'layers') refuseField(inRootfs, 'type is not "layers"')
  const list = arrayField(rootfs, 'diff_ids', inRootfs) ?? []
  if (list.length > limits.imageLayers) throw limitError('imageLayers', limits.imageLayers, list.length, where.what)
  return list.map((diffId, index) => parseDigest<DiffId>(diffId, `${inRootfs.what} diff_ids[${index}]`))
}

function parseHistory(object: JsonObject, layers: number, where: Where): HistoryEntry[] {
  const history = (arrayField(object, 'history', where) ?? []).map((entry, index) =>
    parseHistoryEntry(entry, inside(where, `history[${index}]`)),
  )
  const nonEmpty = history.filter(entry => !entry.emptyLayer).length
  if (nonEmpty <= layers) return history
  refuseField(where, `history has ${nonEmpty} entries with a layer, rootfs has ${layers} layers`)
}

function parseHistoryEntry(value: JsonValue, where: Where): HistoryEntry {
  const object = asObject(value, where)
  refuseCaseVariants(object, historyKeys, where.what)
  return {
    ...time(object, where),
    ...texts(object, where, { createdBy: 'created_by', author: 'author', comment: 'comment' }),
    emptyLayer: booleanField(object, 'empty_layer', where) ?? false,
  }
}

function parseContainerConfig(object: JsonObject, where: Where): ContainerConfig {
  const labels = stringMapField(object, 'Labels', where)
  return {
    ...texts(object, where, { user: 'User', workingDir: 'WorkingDir', stopSignal: 'StopSignal' }),
    ...lists(object, where, { env: 'Env', onBuild: 'OnBuild' }),
    ...commands(object, where, { cmd: 'Cmd', entrypoint: 'Entrypoint', shell: 'Shell' }),
    ...names(object, where, { exposedPorts: 'ExposedPorts', volumes: 'Volumes' }),
    ...(labels && { labels }),
  }
}

/** Fields by the name that they have here and the key that they have in the document; missing ones are left out. */
type Picked<T, Names> = { readonly [Name in keyof Names]?: T }

function pick<T, Names extends Readonly<Record<string, string>>>(
  keys: Names,
  read: (key: string) => T | undefined,
): Picked<T, Names> {
  const picked: { [Name in keyof Names]?: T } = {}
  for (const name in keys) {
    const value = read(keys[name]!)
    if (value !== undefined) picked[name] = value
  }
  return picked
}

function texts<Names extends Readonly<Record<string, string>>>(object: JsonObject, where: Where, keys: Names) {
  return pick(keys, key => stringField(object, key, where))
}

function lists<Names extends Readonly<Record<string, string>>>(object: JsonObject, where: Where, keys: Names) {
  return pick(keys, key => stringsField(object, key, where))
}

/** Lists for which Docker takes a single string, too. */
function commands<Names extends Readonly<Record<string, string>>>(object: JsonObject, where: Where, keys: Names) {
  return pick(keys, key => {
    const value = own(object, key)
    return typeof value === 'string' ? [value] : stringsField(object, key, where)
  })
}

/** Sets, written as objects with empty values. */
function names<Names extends Readonly<Record<string, string>>>(object: JsonObject, where: Where, keys: Names) {
  return pick(keys, key => {
    const value = objectField(object, key, where)
    return value && Object.keys(value)
  })
}

function time(object: JsonObject, where: Where): { readonly created?: string } {
  const created = stringField(object, 'created', where)
  if (created === undefined) return {}
  if (parseTime(created) === undefined) refuseField(where, 'created is not an RFC 3339 time')
  return { created }
}
