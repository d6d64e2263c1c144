/** Repairs of containers: a record heals if one bit fell over, a mount by the record; what cannot be read goes as a whole. */
import { basename, dirname } from 'node:path'
import { containerText, parseContainer } from '../containers/record.js'
import { ifThere } from '../disk/io.js'
import { unlinkDirectory } from '../drivers/overlay2/directory.js'
import { PhylloError } from '../errors.js'
import { MiB } from '../limits.js'
import { left, type Mend, type Mended, type Mending, moveAway, quarantined, repaired, replaceSmall } from './mend.js'
import { withoutFlippedBit } from './single-bit.js'

const smallBytes = 4096

export const mendContainerRecord: Mend = async ({ path }, mending) => {
  const { root, limits } = mending.parts
  const id = basename(path, '.json')
  const release = await root.tryHold(path)
  if (release === undefined) return left('somebody has the container open')
  try {
    const record = mending.survey.containers.find(one => one.id === id)
    if (record !== undefined) {
      await replaceSmall(root, path, containerText(record), 0o600)
      return repaired('written anew')
    }
    const damaged = await ifThere(root.io.readFile(path, 64 * MiB))
    const healed =
      damaged &&
      (await withoutFlippedBit(damaged, bytes => {
        try {
          const text = bytes.toString('utf8')
          return text === containerText(parseContainer(text, { path, id, limits }))
        } catch (error) {
          if (error instanceof PhylloError) return false
          throw error
        }
      }))
    if (healed === undefined) return await quarantineContainer(id, mending)
    await replaceSmall(root, path, healed, 0o600)
    return repaired('one bit had fallen over')
  } finally {
    await release()
  }
}

export const mendMount: Mend = async ({ path }, mending) => {
  const { root } = mending.parts
  const [name, id] = [basename(path), basename(dirname(path))]
  const record = mending.survey.containers.find(one => one.id === id)
  if (record === undefined) return left('the container is not one of ours')
  const text = name === 'mount-id' ? record.mountId : record.chainId
  if (text === undefined) return moveAway(root, path)
  const directory = dirname(path)
  if ((await ifThere(root.io.status(directory))) === undefined) await root.io.mkdir(directory, 0o755)
  await replaceSmall(root, path, text, 0o644)
  return repaired('told anew by the container')
}

export const mendContainer: Mend = async ({ affects }, mending) => {
  const [id] = affects.containers
  const { root } = mending.parts
  if (id === undefined) return left('of no container')
  const path = root.paths.container(id)
  const release = (await ifThere(root.io.status(path))) && (await root.tryHold(path))
  if (release === undefined) return left('somebody has the container open')
  try {
    return await quarantineContainer(id, mending)
  } finally {
    await release()
  }
}

/** All of it: what belongs to no record would be taken away by whoever makes the next container. The record goes first. */
async function quarantineContainer(id: string, { parts: { root } }: Mending): Promise<Mended> {
  const { io, paths } = root
  const mountId = (await ifThere(io.readFile(`${paths.mount(id)}/mount-id`, smallBytes)))?.toString().trim()
  const moved = await root.withLock(async () => {
    if (mountId !== undefined && paths.driver === 'overlay2')
      await unlinkDirectory(root, paths.containerUpper(mountId), mountId)
    const places = [
      paths.container(id),
      ...(mountId === undefined ? [] : [paths.containerUpper(mountId)]),
      paths.mount(id),
    ]
    const to: string[] = []
    for (const place of places) to.push((await root.quarantine(place)) ?? '')
    return to.filter(place => place !== '')
  })
  return quarantined(`moved to ${moved.join(', ')}`)
}
