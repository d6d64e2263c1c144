/** `manifest.json` of a docker-archive: which member is which image's config and layers. */
import { limitError } from '../limits.js'
import { type Descriptor, type DocumentOptions, parseDescriptor } from './descriptor.js'
import { type DiffId, type ImageId, parseDigest } from './digest.js'
import { type JsonValue, parseJson, refuseCaseVariants } from './json.js'
import {
  asArray,
  asObject,
  inside,
  objectField,
  refuseField,
  stringField,
  stringsField,
  type Where,
} from './json-field.js'

export interface DockerManifestItem {
  /** Archive member of the image config. */
  readonly config: string
  /** Verbatim; each must parse as a reference with a tag. */
  readonly repoTags: readonly string[]
  /** Archive members of the layers, base first. */
  readonly layers: readonly string[]
  /** The image it was built from, if the same archive holds that, too. */
  readonly parent?: ImageId
  /** Descriptors of layers, by diffId: all of them since Docker 25, only foreign ones before. */
  readonly layerSources?: ReadonlyMap<DiffId, Descriptor>
}

const itemKeys = ['Config', 'RepoTags', 'Layers', 'Parent', 'LayerSources'] as const

/** The items in the archive's order. `[]` is fine, `null` is not. Throws MANIFEST_INVALID, MANIFEST_AMBIGUOUS, LIMIT_EXCEEDED. */
export function parseDockerManifest(bytes: Uint8Array, options: DocumentOptions): readonly DockerManifestItem[] {
  const { limits, what } = options
  const where: Where = { what, code: 'MANIFEST_INVALID' }
  const items = asArray(parseJson(bytes, { limits, what }), where)
  if (items.length > limits.archiveMembers) {
    throw limitError('archiveMembers', limits.archiveMembers, items.length, what)
  }
  return items.map((item, index) => parseItem(item, inside(where, `[${index}]`), options))
}

function parseItem(value: JsonValue, where: Where, { limits }: DocumentOptions): DockerManifestItem {
  const object = asObject(value, where)
  refuseCaseVariants(object, itemKeys, where.what)
  const config = stringField(object, 'Config', where)
  if (config === undefined || config === '') return refuseField(where, 'Config names no member')
  const layers = stringsField(object, 'Layers', where) ?? []
  if (layers.length > limits.imageLayers) {
    throw limitError('imageLayers', limits.imageLayers, layers.length, where.what)
  }
  const parent = stringField(object, 'Parent', where)
  const sources = objectField(object, 'LayerSources', where)
  return {
    config,
    repoTags: stringsField(object, 'RepoTags', where) ?? [],
    layers,
    ...(parent !== undefined && parent !== '' && { parent: parseDigest<ImageId>(parent, `${where.what} Parent`) }),
    ...(sources && { layerSources: parseSources(sources, inside(where, 'LayerSources')) }),
  }
}

function parseSources(sources: Readonly<Record<string, JsonValue>>, where: Where): ReadonlyMap<DiffId, Descriptor> {
  return new Map(
    Object.entries(sources).map(([diffId, source]) => [
      parseDigest<DiffId>(diffId, where.what),
      parseDescriptor(source, inside(where, diffId)),
    ]),
  )
}
