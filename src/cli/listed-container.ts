/** A container as `ps` lists it, whoever made it: ours, which never run, and those of a dockerd on the same root. */
import type { ContainerInfo, DockerContainer, Store } from '../index.js'
import { humanAge, humanDuration } from './format/duration.js'

type Shared = 'id' | 'name' | 'image' | 'imageId' | 'created' | 'command' | 'labels' | 'sizeBytes' | 'virtualBytes'

export interface ListedContainer extends Pick<DockerContainer, Shared> {
  readonly state: string
  readonly status: string
  /** What only a dockerd's own have: those of ours have no processes, ports, mounts or networks. */
  readonly docker?: DockerContainer
}

/** All of a store, newest first. */
export async function listedContainers(store: Store, options: { readonly size: boolean }): Promise<ListedContainer[]> {
  const [ours, theirs] = await Promise.all([store.containers(options), store.dockerContainers(options)])
  return [...ours.map(ourRow), ...theirs.map(container => dockerRow(container, Date.now() / 1000))].sort(
    (a, b) => Date.parse(b.created) - Date.parse(a.created),
  )
}

/** One of ours. */
export function ourRow(container: ContainerInfo): ListedContainer {
  const { entrypoint, cmd, labels } = container.config?.config ?? {}
  const command = [...(entrypoint ?? []), ...(cmd ?? [])]
  return { ...container, command, labels: labels ?? {}, state: 'created', status: 'Created' }
}

function dockerRow(container: DockerContainer, nowSeconds: number): ListedContainer {
  return { ...container, status: statusOf(container, nowSeconds), docker: container }
}

/** container/state.go, String. */
function statusOf({ state, exitCode, startedAt, finishedAt, health }: DockerContainer, nowSeconds: number): string {
  const up = `Up ${humanDuration(nowSeconds - secondsOf(startedAt))}`
  const ended = humanAge(secondsOf(finishedAt), nowSeconds)
  if (state === 'paused') return `${up} (Paused)`
  if (state === 'restarting') return `Restarting (${exitCode}) ${ended}`
  if (state === 'running')
    return health === undefined ? up : `${up} (${health.replace('starting', 'health: starting')})`
  if (state === 'removing') return 'Removal In Progress'
  if (state === 'dead') return 'Dead'
  if (state === 'created') return 'Created'
  return finishedAt === undefined ? '' : `Exited (${exitCode}) ${ended}`
}

function secondsOf(time: string | undefined): number {
  return Date.parse(time ?? '') / 1000 || 0
}
