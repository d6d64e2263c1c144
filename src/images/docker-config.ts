/** Docker's container config: what is to be run and how, with the fields and the order of its Go struct (facts: docker-store 2.9). */
import type { GoJsonValue } from '../oci/go-json.js'
import { sortedMap } from '../oci/go-json.js'

export interface Healthcheck {
  readonly Test?: readonly string[]
  /** Nanoseconds; 0 is inherited. */
  readonly Interval?: number
  readonly Timeout?: number
  readonly StartPeriod?: number
  readonly StartInterval?: number
  readonly Retries?: number
}

/** What of it an image says, and a change can set. */
export interface RunConfig {
  readonly user: string
  readonly workingDir: string
  readonly stopSignal: string
  readonly exposedPorts: ReadonlySet<string>
  readonly volumes: ReadonlySet<string>
  readonly env: readonly string[]
  /** Undefined and empty are two things. */
  readonly cmd: readonly string[] | undefined
  readonly entrypoint: readonly string[] | undefined
  readonly onBuild: readonly string[]
  readonly labels: ReadonlyMap<string, string> | undefined
  readonly shell: readonly string[] | undefined
  readonly healthcheck: Healthcheck | undefined
}

export const emptyRunConfig: RunConfig = {
  user: '',
  workingDir: '',
  stopSignal: '',
  exposedPorts: new Set(),
  volumes: new Set(),
  env: [],
  cmd: undefined,
  entrypoint: undefined,
  onBuild: [],
  labels: undefined,
  shell: undefined,
  healthcheck: undefined,
}

/** As Docker writes it down; `hostname` and `image` are those of the container that it is the config of. */
export function dockerConfigJson(config: RunConfig, { hostname = '', image = '' } = {}): GoJsonValue {
  const { exposedPorts, volumes, env, cmd, entrypoint, onBuild, labels, shell, stopSignal, healthcheck } = config
  return {
    Hostname: hostname,
    Domainname: '',
    User: config.user,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: exposedPorts.size === 0 ? undefined : emptyValues(exposedPorts),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: env.length === 0 ? null : env,
    Cmd: cmd ?? null,
    Healthcheck: healthcheck && healthcheckJson(healthcheck),
    Image: image,
    Volumes: volumes.size === 0 ? null : emptyValues(volumes),
    WorkingDir: config.workingDir,
    Entrypoint: entrypoint ?? null,
    OnBuild: onBuild.length === 0 ? null : onBuild,
    Labels: labels === undefined ? null : sortedMap(labels),
    StopSignal: stopSignal || undefined,
    Shell: shell !== undefined && shell.length > 0 ? shell : undefined,
  }
}

function emptyValues(names: ReadonlySet<string>): ReadonlyMap<string, GoJsonValue> {
  return sortedMap(new Map([...names].map(name => [name, {}] as const)))
}

function healthcheckJson(check: Healthcheck): GoJsonValue {
  const { Test, Interval, Timeout, StartPeriod, StartInterval, Retries } = check
  return {
    Test: Test !== undefined && Test.length > 0 ? Test : undefined,
    Interval: Interval || undefined,
    Timeout: Timeout || undefined,
    StartPeriod: StartPeriod || undefined,
    StartInterval: StartInterval || undefined,
    Retries: Retries || undefined,
  }
}

/** What a container has that says `user` itself and is made of an image that says `image` (facts: docker-store 9.2). */
export function mergeRunConfig(user: RunConfig, image: RunConfig): RunConfig {
  const runsItsOwn = (user.entrypoint ?? []).length > 0
  const keys = new Set(user.env.map(keyOf))
  return {
    ...user,
    user: user.user || image.user,
    workingDir: user.workingDir || image.workingDir,
    stopSignal: user.stopSignal || image.stopSignal,
    exposedPorts: new Set([...user.exposedPorts, ...image.exposedPorts]),
    volumes: new Set([...user.volumes, ...image.volumes]),
    env: [...user.env, ...image.env.filter(entry => !keys.has(keyOf(entry)))],
    cmd: !runsItsOwn && (user.cmd ?? []).length === 0 ? image.cmd : user.cmd,
    entrypoint: user.entrypoint ?? image.entrypoint,
    labels: new Map([...(image.labels ?? []), ...(user.labels ?? [])]),
    healthcheck: mergeHealthcheck(user.healthcheck, image.healthcheck),
  }
}

export function keyOf(entry: string): string {
  return entry.split('=', 1)[0]!
}

function mergeHealthcheck(user: Healthcheck | undefined, image: Healthcheck | undefined): Healthcheck | undefined {
  if (user === undefined || image === undefined) return user ?? image
  const set = Object.entries(user).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : value))
  return { ...image, ...Object.fromEntries(set) }
}
