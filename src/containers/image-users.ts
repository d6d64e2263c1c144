/**
 * Which containers were made from which images: ours, and those that a dockerd has left in its root. Whoever wants to remove an
 * image asks under the root lock, under which containers of ours are made.
 *
 * A record that cannot be read says nothing here: what its layers are, the mounts know (references.ts).
 */
import { failedWith, type Io, ifThere } from '../disk/io.js'
import type { Root } from '../disk/root.js'
import type { ImageUser } from '../images/removal-conflict.js'
import { MiB } from '../limits.js'
import { type ImageId, isDigest } from '../oci/digest.js'
import type { ContainerStore } from './container-store.js'

/** Docker's file of a container holds all of its settings, mounts and networks. */
const maxBytes = 16 * MiB

/** In order of id. */
export async function imageUsers(root: Root, containers: ContainerStore): Promise<ImageUser[]> {
  const ours = (await containers.list()).flatMap(({ id, imageId }) =>
    imageId === undefined ? [] : [{ container: id, imageId, running: false }],
  )
  const users = [...ours, ...(await dockersUsers(root))]
  return users.sort((a, b) => (a.container < b.container ? -1 : Number(a.container > b.container)))
}

async function dockersUsers({ io, paths }: Root): Promise<ImageUser[]> {
  const directory = paths.dockerContainers()
  if (directory === undefined) return []
  const users: ImageUser[] = []
  for (const container of (await ifThere(io.readdir(directory))) ?? []) {
    const text = await readIfAny(io, paths.below(paths.below(directory, container), 'config.v2.json'))
    const user = text === undefined ? undefined : parseUser(container, text)
    if (user !== undefined) users.push(user)
  }
  return users
}

async function readIfAny(io: Io, path: string): Promise<string | undefined> {
  try {
    return (await io.readFile(path, maxBytes)).toString('utf8')
  } catch (error) {
    if (failedWith(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** As dockerd, which does not load a container whose file it cannot read. */
function parseUser(container: string, text: string): ImageUser | undefined {
  try {
    const { Image: imageId, State: state } = (JSON.parse(text) ?? {}) as {
      readonly Image?: unknown
      readonly State?: { readonly Running?: unknown } | null
    }
    if (!isDigest(imageId)) return undefined
    return { container, imageId: imageId as ImageId, running: state?.Running === true }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
