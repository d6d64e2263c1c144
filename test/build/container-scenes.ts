/**
 * Makers and removers of containers and a collector of one store, as programs to walk through in every order, and what must
 * hold. Walked in a thread of its own, as layer-scenes.ts is.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { containerReferences } from '../../src/containers/references.js'
import type { Root } from '../../src/disk/root.js'
import { PhylloError } from '../../src/errors.js'
import { chainIdsOf } from '../../src/oci/chain-id.js'
import { hexOf } from '../../src/oci/digest.js'
import { containersOf, imageOf, notWhole, openMemoryRoot, remains, rootPath } from './containers.js'
import { everyOrder, type Grain, type Scheduler, type Walk, type World } from './interleave.js'
import { addStack, diffIdOf, packedLayers } from './layers.js'
import { atOnce, MemoryDisk } from './memory-disk.js'

const stack = [diffIdOf('base')]
const base = { image: imageOf(stack), name: 'app:v1' }

type Role = 'make' | 'make the same' | 'remove' | 'use' | 'collect'

/** The containers that are there before: `old`, or none. Its layers are there either way. */
export interface ContainerScene {
  readonly grain: Grain
  readonly old: boolean
  readonly roles: readonly Role[]
}

/** What may happen to each, when others are quicker. */
const mayFail: Readonly<Record<Role, readonly string[]>> = {
  make: ['STORE_CORRUPT'],
  'make the same': ['CONTAINER_NAME_TAKEN', 'STORE_CORRUPT'],
  remove: ['CONTAINER_BUSY', 'CONTAINER_NOT_FOUND'],
  use: ['CONTAINER_BUSY', 'CONTAINER_NOT_FOUND', 'STORE_CORRUPT'],
  collect: [],
}

interface Shared {
  /** Who has it open now, by the id of the container. */
  readonly users: Map<string, number>
  readonly wrong: string[]
}

function programOf(role: Role, root: Root, shared: Shared): () => Promise<void> {
  const containers = containersOf(root)
  const layers = packedLayers(root)
  const work: Readonly<Record<Role, () => Promise<void>>> = {
    make: async () => (await containers.create({ base, name: 'new', bounds: {} })).release(),
    'make the same': async () => (await containers.create({ base, name: 'same', bounds: {} })).release(),
    remove: async () => {
      const held = await containers.hold('old')
      if (shared.users.has(held.record.id)) shared.wrong.push('removed while it was open')
      await containers.remove(held)
    },
    use: async () => {
      const { record, release } = await containers.hold('old')
      if (shared.users.has(record.id)) shared.wrong.push('open twice')
      shared.users.set(record.id, 1)
      await layers.chainOf(stack)
      await containers.upperDirectory(record)
      shared.users.delete(record.id)
      await release()
    },
    collect: async () => void (await layers.collect({ roots: () => containerReferences(root, containers) })),
  }
  return async () => {
    try {
      await work[role]()
    } catch (error) {
      if (!(error instanceof PhylloError) || !mayFail[role].includes(error.code)) throw error
    }
  }
}

async function worldOf({ old, roles }: ContainerScene) {
  const disk = new MemoryDisk()
  const first = await openMemoryRoot(disk, 'before', atOnce)
  await addStack(first, stack)
  // A directory that is made when it is first needed would be a step of whoever is first.
  const dummy = await containersOf(first).create({ base, name: 'dummy', bounds: {} })
  await containersOf(first).remove(dummy)
  if (old) await (await containersOf(first).create({ base, name: 'old', bounds: {} })).release()
  await first.close()
  return async (scheduler: Scheduler): Promise<World> => {
    const shared: Shared = { users: new Map(), wrong: [] }
    const programs = new Map<string, () => Promise<void>>()
    for (const [index, role] of roles.entries()) {
      const name = `${role.replaceAll(' ', '')}${index}`
      const run = programOf(role, await openMemoryRoot(disk, name, scheduler.step(name)), shared)
      programs.set(name, () => {
        if (index === 0) {
          shared.users.clear()
          shared.wrong.length = 0
        }
        return run()
      })
    }
    return { disk, programs, inspect: () => shared.wrong[0] ?? notWhole(disk), conclude: () => conclude(disk, roles) }
  }
}

function conclude(disk: MemoryDisk, roles: readonly Role[]): string | undefined {
  const records = disk.childrenOf(`${rootPath}/phyllo/containers`).map(path => {
    const node = disk.nodes.get(path)
    return JSON.parse(node?.type === 'file' ? node.text : '{}') as { name: string }
  })
  const same = records.filter(({ name }) => name === 'same').length
  if (same > 1) return 'two containers of one name'
  const layer = `${rootPath}/image/packed/layerdb/sha256/${hexOf(chainIdsOf(stack)[0]!)}`
  if (records.length > 0 && !disk.nodes.has(layer)) return 'the layer of a container is lost'
  if (!roles.includes('collect') && roles.includes('make the same') && same === 0) return 'nobody got the name'
  const [left] = remains(disk)
  return left === undefined ? notWhole(disk) : `${left} is left`
}

export function walkContainers(scene: ContainerScene): Promise<Walk> {
  return new Promise((resolve, reject) => {
    new Worker(new URL(import.meta.url), { workerData: scene }).on('message', resolve).on('error', reject)
  })
}

if (!isMainThread) {
  Error.stackTraceLimit = 0
  const scene = workerData as ContainerScene
  parentPort!.postMessage(await everyOrder(scene.grain, await worldOf(scene)))
}
