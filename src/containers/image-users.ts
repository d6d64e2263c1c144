/**
 * Which containers were made from which images: ours, and those that a dockerd has left in its root. Whoever wants to remove an
 * image asks under the root lock, under which containers of ours are made.
 *
 * A record that cannot be read says nothing here: what its layers are, the mounts know (references.ts).
 */
import type { Root } from '../disk/root.js'
import type { ImageUser } from '../images/removal-conflict.js'
import type { ContainerStore } from './container-store.js'
import { dockerContainers } from './docker-containers.js'

/** In order of id. */
export async function imageUsers(root: Root, containers: ContainerStore): Promise<ImageUser[]> {
  const ours = (await containers.list()).map(({ id, imageId }) => ({ id, imageId, running: false }))
  const theirs = (await dockerContainers(root)).map(({ id, imageId, state }) => ({
    id,
    imageId,
    running: running.has(state),
  }))
  const users = [...ours, ...theirs].flatMap(({ id, imageId, running }) =>
    imageId === undefined ? [] : [{ container: id, imageId, running }],
  )
  return users.sort((a, b) => (a.container < b.container ? -1 : Number(a.container > b.container)))
}

/** States in which Docker calls a container running. */
const running: ReadonlySet<string> = new Set(['running', 'paused', 'restarting'])
