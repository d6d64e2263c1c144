/**
 * Containers that a dockerd has in its root: what `containers/<id>/config.v2.json` says of them. They count when images are removed
 * and when names are given, and can be listed; everything else is that dockerd's business.
 *
 * Invariant: a container whose file cannot be read as one is none, as for dockerd, which does not load it.
 */
import { failedWith, type Io, ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import { MiB } from '../limits.js'
import { type ImageId, isDigest } from '../oci/digest.js'
import { isObject, type JsonObject, type JsonValue } from '../oci/json.js'

/** A dockerd's own container, as its file says. What it says of one that runs is from its last change of state. */
export interface DockerContainer {
  /** 64 hex digits. */
  readonly id: string
  readonly name: string
  /** The words that named the image. */
  readonly image: string
  /** It may be gone. Undefined: made from scratch. */
  readonly imageId: ImageId | undefined
  /** RFC 3339. */
  readonly created: string
  /** What runs in it: a path and its arguments. */
  readonly command: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'dead' | 'exited'
  /** Of the last process that ended. */
  readonly exitCode: number
  /** RFC 3339; undefined: never. */
  readonly startedAt: string | undefined
  readonly finishedAt: string | undefined
  /** `starting`, `healthy`, `unhealthy`; undefined: nobody looks. */
  readonly health: string | undefined
  /** `80/tcp`, or `0.0.0.0:8080->80/tcp` where it can be reached from outside. */
  readonly ports: readonly string[]
  readonly mounts: readonly DockerMount[]
  readonly networks: readonly string[]
  /** If sizes were asked for: bytes of what is its own. */
  readonly sizeBytes?: number
  /** The same with all of the image's layers. */
  readonly virtualBytes?: number
}

export interface DockerMount {
  /** Of the volume, or the path on the host. */
  readonly source: string
  /** In the container. */
  readonly destination: string
  /** Of the volume: `local`; none for a directory of the host. */
  readonly driver: string
}

/** Docker's file of a container holds all of its settings, mounts and networks. */
const maxBytes = 16 * MiB
const idGrammar = /^[0-9a-f]{64}$/
/** Go's zero time. */
const never = '0001-01-01T00:00:00Z'

/** In order of id. None in a root that is no dockerd's. */
export async function dockerContainers({ io, paths }: Pick<Root, 'io' | 'paths'>): Promise<DockerContainer[]> {
  const directory = paths.dockerContainers()
  if (directory === undefined) return []
  const containers: DockerContainer[] = []
  for (const id of ((await ifThere(io.readdir(directory))) ?? []).sort()) {
    if (!idGrammar.test(id)) continue
    const text = await readIfAny(io, paths.below(paths.below(directory, id), 'config.v2.json'))
    const container = text === undefined ? undefined : parseContainer(id, text)
    if (container !== undefined) containers.push(container)
  }
  return containers
}

async function readIfAny(io: Io, path: string): Promise<string | undefined> {
  try {
    return (await io.readFile(path, maxBytes)).toString('utf8')
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

function parseContainer(id: string, text: string): DockerContainer | undefined {
  const file = jsonObject(text)
  if (file?.ID !== id) return undefined
  const [state, config, network] = [file.State, file.Config, file.NetworkSettings].map(objectOr)
  return {
    id,
    name: textOr(file.Name, '').replace(/^\//, ''),
    image: textOr(config!.Image, ''),
    imageId: imageOf(file.Image),
    created: textOr(file.Created, never),
    command: [file.Path, ...(Array.isArray(file.Args) ? file.Args : [])].filter(word => typeof word === 'string'),
    labels: Object.fromEntries(
      Object.entries(objectOr(config!.Labels)).map(([key, value]) => [key, textOr(value, '')]),
    ),
    state: stateOf(state!),
    exitCode: typeof state!.ExitCode === 'number' ? state!.ExitCode : 0,
    startedAt: timeOf(state!.StartedAt),
    finishedAt: timeOf(state!.FinishedAt),
    health: isObject(state!.Health) ? textOr(state!.Health.Status, '') : undefined,
    ports: Object.entries(objectOr(network!.Ports)).flatMap(([port, bindings]) => portsOf(port, bindings)),
    mounts: Object.values(objectOr(file.MountPoints)).map(objectOr).map(mountOf),
    networks: Object.keys(objectOr(network!.Networks)).sort(),
  }
}

function imageOf(value: JsonValue | undefined): ImageId | undefined {
  return isDigest(value) ? (value as string as ImageId) : undefined
}

/** container/state.go, StateString. */
function stateOf(state: JsonObject): DockerContainer['state'] {
  if (state.Running === true)
    return state.Paused === true ? 'paused' : state.Restarting === true ? 'restarting' : 'running'
  if (state.RemovalInProgress === true) return 'removing'
  if (state.Dead === true) return 'dead'
  return timeOf(state.StartedAt) === undefined ? 'created' : 'exited'
}

function timeOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== never ? value : undefined
}

function portsOf(port: string, bindings: JsonValue | undefined): string[] {
  const published = (Array.isArray(bindings) ? bindings : []).map(objectOr)
  if (published.length === 0) return [port]
  return published.map(({ HostIp: ip, HostPort: host }) => `${textOr(ip, '')}:${textOr(host, '')}->${port}`)
}

function mountOf({ Name: name, Source: source, Destination: destination, Driver: driver }: JsonObject): DockerMount {
  return {
    source: textOr(name, '') || textOr(source, ''),
    destination: textOr(destination, ''),
    driver: textOr(driver, ''),
  }
}

function jsonObject(text: string): JsonObject | undefined {
  try {
    const value: JsonValue = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function objectOr(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {}
}

function textOr(value: JsonValue | undefined, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}
