/**
 * Adders and a collector of one store, as programs to walk through in every order, and what must hold of the store.
 * Walked in a thread of its own, away from the hooks of the test runner, which make every await slow.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openRoot } from '../../src/disk/open-root.js'
import type { Root } from '../../src/disk/root.js'
import { chainIdsOf } from '../../src/oci/chain-id.js'
import { type DiffId, hexOf, type ImageId, sha256Digest } from '../../src/oci/digest.js'
import { everyOrder, type Grain, type Scheduler, type Walk, type World } from './interleave.js'
import { diffIdOf, packedLayers } from './layers.js'
import { atOnce, MemoryDisk, type Step } from './memory-disk.js'

const rootPath = '/store'

/** Layers of the scenes. */
export const [base, left] = [diffIdOf('base'), diffIdOf('left')]

type Order = 'lease, then look' | 'look, then lease'

/** What a load does, from the lease to the tag. */
async function addImage(root: Root, stack: readonly DiffId[], order: Order): Promise<void> {
  const layers = packedLayers(root)
  const early = order === 'look, then lease' ? await layers.look(stack) : undefined
  const lease = await layers.lease({ stacks: [stack] })
  const looks = early ?? (await layers.look(stack))
  for (const { diffId, parent, record, sizeBytes } of looks) {
    if (record !== undefined) continue
    if (sizeBytes !== undefined) {
      await layers.publish({ diffId, parent, sizeBytes, lease })
      continue
    }
    const stage = await root.stage()
    await root.writeStaged(stage.file('layer'), `content of ${diffId}`, 0o600)
    await layers.publish({ diffId, parent, sizeBytes: 7, staged: stage.file('layer'), lease })
    await stage.dispose()
  }
  if (order === 'lease, then look') await layers.settle(stack)
  await root.publishBytes(root.paths.imageConfig(imageOf(stack)), JSON.stringify(stack), 0o600)
  await lease.release()
}

function imageOf(stack: readonly DiffId[]): ImageId {
  return sha256Digest<ImageId>(JSON.stringify(stack))
}

async function readStacks(root: Root): Promise<DiffId[][]> {
  const names = await root.io.readdir(root.paths.imageConfigs)
  const read = (name: string) => root.io.readFile(root.paths.below(root.paths.imageConfigs, name), 4096)
  const configs = await Promise.all(names.map(read))
  return configs.map(bytes => JSON.parse(bytes.toString()) as DiffId[])
}

async function collect(root: Root): Promise<void> {
  await packedLayers(root).collect({ roots: async () => ({ stacks: await readStacks(root) }) })
}

export interface Scene {
  readonly grain: Grain
  /** Images whose layers are there and whose tags are gone. */
  readonly leftOver: readonly (readonly DiffId[])[]
  readonly adders: readonly (readonly DiffId[])[]
  readonly order?: Order
}

const openOn = (disk: MemoryDisk, name: string, step: Step) =>
  openRoot(rootPath, { durability: 'none', io: disk.io(name, step), flock: async () => disk.flock(step) })

async function diskWith(leftOver: Scene['leftOver']): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const root = await openOn(disk, 'before', atOnce)
  for (const stack of leftOver) {
    await addImage(root, stack, 'lease, then look')
    await root.discard(root.paths.imageConfig(imageOf(stack)))
  }
  await root.close()
  return disk
}

async function worldsOf({ leftOver, adders, order = 'lease, then look' }: Omit<Scene, 'grain'>) {
  const disk = await diskWith(leftOver)
  return async (scheduler: Scheduler): Promise<World> => {
    const programs = new Map<string, () => Promise<void>>()
    for (const [index, stack] of adders.entries()) {
      const root = await openOn(disk, `adder${index}`, scheduler.step(`adder${index}`))
      programs.set(`adder${index}`, () => addImage(root, stack, order))
    }
    const collector = await openOn(disk, 'collector', scheduler.step('collector'))
    programs.set('collector', () => collect(collector))
    const same = adders.length === 2 && adders[0]!.join() === adders[1]!.join()
    return {
      disk,
      programs,
      ...(same ? { twins: ['adder0', 'adder1'] as const } : undefined),
      inspect: () => halfThere(disk),
      conclude: () => lost(disk, adders),
    }
  }
}

/** In any state a record is whole, and has its content and its parent, in their places or set aside for a moment. */
function halfThere(disk: MemoryDisk): string | undefined {
  const paths = [...disk.nodes.keys()]
  for (const directory of disk.childrenOf(`${rootPath}/image/packed/layerdb/sha256`)) {
    const read = (name: string) => {
      const node = disk.nodes.get(`${directory}/${name}`)
      return node?.type === 'file' ? node.text : undefined
    }
    const cacheId = read('cache-id')
    if (cacheId === undefined || read('diff') === undefined || read('size') === undefined)
      return `${directory} is not whole`
    if (!paths.some(path => path.includes(`${cacheId}.tar.lz4`))) return `${directory} has no content`
  }
  return undefined
}

function lost(disk: MemoryDisk, adders: Scene['adders']): string | undefined {
  for (const stack of adders) {
    if (!disk.nodes.has(`${rootPath}/image/packed/imagedb/content/sha256/${hexOf(imageOf(stack))}`)) return 'no image'
    for (const [index, chainId] of chainIdsOf(stack).entries()) {
      if (!disk.nodes.has(`${rootPath}/image/packed/layerdb/sha256/${hexOf(chainId)}`)) return `layer ${index} is lost`
      if (!disk.nodes.has(`${rootPath}/packed/${hexOf(stack[index]!)}.tar.lz4`)) return `content ${index} is lost`
    }
  }
  const residue = [...disk.nodes.keys()].find(path => /\/phyllo\/(stages|limbo|trash)\/|\/owners\/.*\./.test(path))
  return residue === undefined ? undefined : `${residue} is left`
}

/**
 * In a scene with a single layer, what a program knows when it comes to a write is in that write: what it has read on
 * the way there decides nothing after it.
 */
const atWrites = (call: string) => ['write', 'link', 'rename', 'unlink'].includes(call)

async function walk({ grain, ...scene }: Scene): Promise<Walk> {
  const single = new Set([...scene.leftOver, ...scene.adders].flat()).size === 1
  return everyOrder(grain, await worldsOf(scene), single ? atWrites : undefined)
}

export function walkInThread(scene: Scene): Promise<Walk> {
  return new Promise((resolve, reject) => {
    new Worker(new URL(import.meta.url), { workerData: scene }).on('message', resolve).on('error', reject)
  })
}

if (!isMainThread) {
  Error.stackTraceLimit = 0
  parentPort!.postMessage(await walk(workerData as Scene))
}
