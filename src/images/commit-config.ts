/**
 * The image config that a commit makes: what `docker commit` writes (facts: docker-store 9.1 to 9.3), keys in its order.
 *
 * Differs on purpose: no `docker_version`, for none was here; `AttachStdout` and `AttachStderr` are false, for nothing was attached.
 */
import type { ContainerConfig, HistoryEntry, ImageConfig } from '../oci/config.js'
import type { DiffId } from '../oci/digest.js'
import { type GoJsonValue, goJson } from '../oci/go-json.js'
import { isObject, type JsonValue } from '../oci/json.js'
import { applyChanges } from './commit-changes.js'
import { dockerConfigJson, emptyRunConfig, type Healthcheck, mergeRunConfig, type RunConfig } from './docker-config.js'

export interface CommitText {
  readonly author?: string
  readonly message?: string
  /** Dockerfile instructions. */
  readonly changes?: readonly string[]
}

/** What a container is called in Docker's fields: its id, and the words that named the image. */
export interface NamedContainer {
  readonly id: string
  readonly image: string
}

export interface CommitConfig extends CommitText {
  /** Of the image that the container was made from; undefined for one from scratch. */
  readonly base: ImageConfig | undefined
  /** The layer that the container's changes are; undefined if nothing has changed. */
  readonly diffId: DiffId | undefined
  /** RFC 3339. */
  readonly created: string
  readonly container?: NamedContainer
  /** Of an image from scratch: Go's names. Default: the host's. */
  readonly architecture?: string
}

/** Bytes of the config; their digest is the image's id. Throws CHANGE_INVALID. */
export function commitConfig(commit: CommitConfig): Buffer {
  const { base, diffId, created, author, message, changes = [], container } = commit
  const own = containerRunConfig(base)
  const changed = changes.length === 0 ? own : mergeRunConfig(applyChanges(own, changes), own)
  const named = container && namesIn(container)
  const entry: HistoryEntry = {
    created,
    ...(author && { author }),
    createdBy: (own.cmd ?? []).join(' '),
    ...(message && { comment: message }),
    emptyLayer: diffId === undefined,
  }
  const diffIds = [...(base?.diffIds ?? []), ...(diffId === undefined ? [] : [diffId])]
  const document: GoJsonValue = {
    architecture: base?.architecture || commit.architecture || hostArchitecture(),
    author: author || undefined,
    config: dockerConfigJson(changed, named),
    container: container?.id,
    container_config: dockerConfigJson(own, named),
    created,
    history: [...(base?.history ?? []), entry].map(historyJson),
    os: base?.os || 'linux',
    'os.features': base?.osFeatures,
    'os.version': base?.osVersion || undefined,
    rootfs: { type: 'layers', diff_ids: diffIds.length === 0 ? undefined : diffIds },
    variant: base?.variant || undefined,
  }
  return Buffer.from(goJson(document))
}

/** What a container of the image would run, as Docker writes it down. */
export function containerRunConfigJson(base: ImageConfig | undefined, container: NamedContainer): GoJsonValue {
  return dockerConfigJson(containerRunConfig(base), namesIn(container))
}

function containerRunConfig(base: ImageConfig | undefined): RunConfig {
  const image = base?.config === undefined ? emptyRunConfig : runConfigOf(base.config, base.json.config)
  return mergeRunConfig(emptyRunConfig, image)
}

function namesIn({ id, image }: NamedContainer) {
  return { hostname: id.slice(0, 12), image }
}

/** Throws CHANGE_INVALID for changes that commit would refuse: before any work is done. */
export function checkChanges(base: ImageConfig | undefined, changes: readonly string[] = []): void {
  commitConfig({ base, diffId: undefined, created: '1970-01-01T00:00:00Z', changes })
}

function historyJson({ created, author, createdBy, comment, emptyLayer }: HistoryEntry): GoJsonValue {
  return {
    created,
    author: author || undefined,
    created_by: createdBy || undefined,
    comment: comment || undefined,
    empty_layer: emptyLayer || undefined,
  }
}

/** `json` for the one field that the typed view leaves out. */
function runConfigOf(config: ContainerConfig, json: JsonValue | undefined): RunConfig {
  const { user = '', workingDir = '', stopSignal = '', env = [], cmd, entrypoint, labels, shell } = config
  return {
    ...{ user, workingDir, stopSignal, env, cmd, entrypoint, shell },
    exposedPorts: new Set(config.exposedPorts),
    volumes: new Set(config.volumes),
    onBuild: config.onBuild ?? [],
    labels: labels && new Map(Object.entries(labels)),
    healthcheck: isObject(json) ? healthcheckField(json.Healthcheck) : undefined,
  }
}

/** What is of another type than Docker's is left out. */
function healthcheckField(value: JsonValue | undefined): Healthcheck | undefined {
  if (!isObject(value)) return undefined
  const { Test } = value
  const numbers = ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'].flatMap(name =>
    typeof value[name] === 'number' ? [[name, value[name]] as const] : [],
  )
  const words = Array.isArray(Test) ? Test.filter((word): word is string => typeof word === 'string') : []
  return { ...(words.length > 0 && { Test: words }), ...Object.fromEntries(numbers) }
}

function hostArchitecture(): string {
  const goNames: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }
  return goNames[process.arch] ?? process.arch
}
