/** An image as `docker inspect` shows it: the fields of Docker 20.10's API, in its order. */
import { rewriteTime } from '../oci/go-json.js'
import { isObject, type JsonObject, type JsonValue } from '../oci/json.js'
import type { Image } from './image.js'

const zeroTime = '0001-01-01T00:00:00Z'

export function inspectImage(image: Image, graphDriver: JsonObject): JsonObject {
  const { config } = image
  return {
    Id: image.id,
    RepoTags: [...image.tags],
    RepoDigests: [...image.digests],
    Parent: image.parent ?? '',
    Comment: config.comment ?? config.history.at(-1)?.comment ?? '',
    Created: rewriteTime(config.created ?? '') ?? zeroTime,
    Container: config.container ?? '',
    ContainerConfig: containerConfig(config.json.container_config ?? {}),
    DockerVersion: config.dockerVersion ?? '',
    Author: config.author ?? '',
    Config: containerConfig(config.json.config),
    Architecture: config.architecture,
    ...(config.variant && { Variant: config.variant }),
    Os: config.os || 'linux',
    ...(config.osVersion && { OsVersion: config.osVersion }),
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    GraphDriver: graphDriver,
    RootFS:
      image.layers.length > 0
        ? { Type: 'layers', Layers: image.layers.map(({ diffId }) => diffId) }
        : { Type: 'layers' },
    Metadata: { LastTagTime: image.lastTagTime ?? zeroTime },
  }
}

/** Fields of Docker's container config in its order: with a value always shown, or only when it is set. */
const configFields: readonly (readonly [name: string, zero?: JsonValue])[] = [
  ['Hostname', ''],
  ['Domainname', ''],
  ['User', ''],
  ['AttachStdin', false],
  ['AttachStdout', false],
  ['AttachStderr', false],
  ['ExposedPorts'],
  ['Tty', false],
  ['OpenStdin', false],
  ['StdinOnce', false],
  ['Env', null],
  ['Cmd', null],
  ['Healthcheck'],
  ['ArgsEscaped'],
  ['Image', ''],
  ['Volumes', null],
  ['WorkingDir', ''],
  ['Entrypoint', null],
  ['NetworkDisabled'],
  ['MacAddress'],
  ['OnBuild', null],
  ['Labels', null],
  ['StopSignal'],
  ['StopTimeout'],
  ['Shell'],
]

function containerConfig(config: JsonValue | undefined): JsonObject | null {
  if (!isObject(config)) return null
  const shown = configFields.map(([name, zero]) => [name, shownValue(name, config[name], zero)] as const)
  return Object.fromEntries(shown.filter((field): field is [string, JsonValue] => field[1] !== undefined))
}

/** `undefined`: not shown. Cmd, Entrypoint and Shell may be a single string. */
function shownValue(name: string, value: JsonValue | undefined, zero: JsonValue | undefined): JsonValue | undefined {
  if (value === undefined || value === null || value === '' || value === false) return zero
  if (zero === undefined && isObject(value) && Object.keys(value).length === 0) return undefined
  if (typeof value === 'string' && ['Cmd', 'Entrypoint', 'Shell'].includes(name)) return [value]
  if (isObject(value) && ['ExposedPorts', 'Volumes', 'Labels'].includes(name))
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  return value
}
