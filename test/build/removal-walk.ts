/**
 * Removers of an image and others at work on one store in memory, as programs to walk through in every order, and deaths of a
 * remover at every call. Walked in a thread of its own, as layer-scenes.ts is.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { removalOf } from '../../src/containers/remove-image.js'
import type { Root } from '../../src/disk/root.js'
import { PhylloError } from '../../src/errors.js'
import { ImageCatalog } from '../../src/images/image-catalog.js'
import { ImageStore } from '../../src/images/image-store.js'
import { ReferenceStore } from '../../src/images/reference-store.js'
import { liveRoots, type RemoveOptions, type RemoveParts, removeImage } from '../../src/images/remove.js'
import { OpenLayers } from '../../src/layers/open-layers.js'
import { defaultLimits } from '../../src/limits.js'
import { chainIdsOf } from '../../src/oci/chain-id.js'
import { hexOf } from '../../src/oci/digest.js'
import { parseReference } from '../../src/oci/reference.js'
import { Operation } from '../../src/operation.js'
import { containersOf, imageOf, openMemoryRoot, rootPath } from './containers.js'
import { everyOrder, type Grain, type Scheduler, type Walk, type World } from './interleave.js'
import { addStack, diffIdOf, packedLayers } from './layers.js'
import { atOnce, MemoryDisk, type Step } from './memory-disk.js'

const stack = [diffIdOf('base')]
/** The image that everybody is at. */
export const image = imageOf(stack)
const name = 'app:v1'

type Role = 'remove' | 'remove later' | 'remove by id' | 'load' | 'tag' | 'create' | 'collect'

export interface RemovalWalk {
  readonly grain: Grain
  readonly roles: readonly Role[]
}

/** What may happen to each, when others are quicker. */
const mayFail: Readonly<Record<Role, readonly string[]>> = {
  remove: ['IMAGE_NOT_FOUND', 'IMAGE_IN_USE'],
  'remove later': [],
  'remove by id': ['IMAGE_NOT_FOUND', 'IMAGE_IN_USE'],
  load: [],
  tag: ['IMAGE_NOT_FOUND'],
  create: ['IMAGE_NOT_FOUND', 'STORE_CORRUPT'],
  collect: [],
}

export function partsOf(root: Root): RemoveParts {
  const layers = packedLayers(root)
  const [images, references] = [new ImageStore(root, defaultLimits), new ReferenceStore(root)]
  return removalOf({ root, images, references, layers, limits: defaultLimits })
}

export const remove = (parts: RemoveParts, words: string, options: RemoveOptions = {}) =>
  new Operation(op => removeImage(words, options, parts, op))

/** What a load does of an image whose layers it has verified. */
export async function load({ root, images, references, layers }: RemoveParts, tag: string): Promise<void> {
  await using _lease = await layers.lease({ stacks: [stack], images: [image.id] })
  await addStack(root, stack)
  await layers.settle(stack)
  await images.put(image.configBytes)
  await references.tag(parseReference(tag), image.id)
}

function programOf(role: Role, root: Root): () => Promise<void> {
  const parts = partsOf(root)
  const { images, references, layers } = parts
  const catalog = new ImageCatalog({
    images,
    references,
    layers,
    open: new OpenLayers(layers.driver),
  })
  const work: Readonly<Record<Role, () => Promise<unknown>>> = {
    remove: async () => remove(parts, name),
    // A step before it takes the root lock: whoever begins by that, too, gets further first.
    'remove later': async () => root.readLeases().then(() => remove(parts, name)),
    'remove by id': async () => remove(parts, image.id, { force: true }),
    load: () => load(parts, 'loaded:1'),
    tag: () => catalog.tag(name, 'tagged:1'),
    create: async () => {
      const { image: found } = await catalog.resolve(name)
      const held = await containersOf(root).create({ base: { image: found, name }, name: 'box', bounds: {} })
      await held.release()
    },
    collect: () => layers.collect({ roots: liveRoots(parts) }),
  }
  return async () => {
    try {
      await work[role]()
    } catch (error) {
      if (!(error instanceof PhylloError) || !mayFail[role].includes(error.code)) throw error
    }
  }
}

export async function diskWithImage(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const root = await openMemoryRoot(disk, 'before', atOnce)
  const parts = partsOf(root)
  await load(parts, name)
  // Directories that are made when they are first needed would be a step of whoever is first.
  const box = await containersOf(root).create({ name: 'dummy', bounds: {} })
  await containersOf(root).remove(box)
  await parts.images.touch(image.id)
  await root.close()
  return disk
}

async function worldOf({ roles }: RemovalWalk) {
  const disk = await diskWithImage()
  return async (scheduler: Scheduler): Promise<World> => {
    const programs = new Map<string, () => Promise<void>>()
    for (const [index, role] of roles.entries()) {
      const process = `${role.replaceAll(' ', '')}${index}`
      programs.set(process, programOf(role, await openMemoryRoot(disk, process, scheduler.step(process))))
    }
    return { disk, programs, inspect: () => undefined, conclude: () => broken(disk) ?? lost(disk, roles) }
  }
}

const text = (disk: MemoryDisk, path: string) => {
  const node = disk.nodes.get(path)
  return node?.type === 'file' ? node.text : undefined
}

const metadata = `${rootPath}/image/packed`
const configPath = `${metadata}/imagedb/content/sha256/${hexOf(image.id)}`

/** What no order and no death may leave: a name without its image, an image or a container without its layers. */
export function broken(disk: MemoryDisk): string | undefined {
  const names = JSON.stringify(JSON.parse(text(disk, `${metadata}/repositories.json`) ?? '{}'))
  if (names.includes(image.id) && text(disk, configPath) === undefined) return 'a name without its image'
  const boxes = disk.childrenOf(`${rootPath}/phyllo/containers`)
  if (text(disk, configPath) === undefined && boxes.length === 0) return undefined
  const layer = `${metadata}/layerdb/sha256/${hexOf(chainIdsOf(stack)[0]!)}`
  if (text(disk, `${layer}/diff`) === undefined) return 'an image without its layer'
  return text(disk, `${rootPath}/packed/${hexOf(stack[0]!)}.tar.lz4`) === undefined
    ? 'a layer without content'
    : undefined
}

function lost(disk: MemoryDisk, roles: readonly Role[]): string | undefined {
  const names = text(disk, `${metadata}/repositories.json`) ?? ''
  if (roles.includes('load') && !roles.includes('remove by id') && !names.includes('loaded:1'))
    return 'the name is lost'
  if (roles.includes('load') && text(disk, configPath) === undefined && names.includes('loaded:1'))
    return 'image is lost'
  const left = ['limbo', 'stages'].flatMap(directory => disk.childrenOf(`${rootPath}/phyllo/${directory}`))
  return left[0] === undefined ? undefined : `${left[0]} is left`
}

/** The remover gets no further than its call number `calls`. False: it was done before. */
export async function dieAt(disk: MemoryDisk, calls: number): Promise<boolean> {
  let left = calls
  const never = new Promise<never>(() => undefined)
  let died: () => void = () => undefined
  const death = new Promise<true>(resolve => (died = () => resolve(true)))
  let begun = false
  const step: Step = async (_call, _path, work) => {
    if (!begun || left-- > 0) return work()
    died()
    return never
  }
  const root = await openMemoryRoot(disk, 'dying', step)
  begun = true
  return Promise.race([death, Promise.resolve(remove(partsOf(root), name)).then(() => false)])
}

export function walkRemovals(scene: RemovalWalk): Promise<Walk> {
  return new Promise((resolve, reject) => {
    new Worker(new URL(import.meta.url), { workerData: scene }).on('message', resolve).on('error', reject)
  })
}

if (!isMainThread) {
  Error.stackTraceLimit = 0
  const scene = workerData as RemovalWalk
  parentPort!.postMessage(await everyOrder(scene.grain, await worldOf(scene)))
}

/** `leastStates`: far fewer mean that the walk does not see the steps any more. */
export function testEveryOrder(t: TestContext, scene: RemovalWalk, leastStates: number): Promise<void> {
  return t.test(scene.roles.join(' and '), async t => {
    const { failure, states, runs } = await walkRemovals(scene)
    t.diagnostic(`${scene.roles.join(' and ')}: ${states} states, ${runs} runs`)
    assert.equal(failure, undefined, `${failure?.reason}\n${failure?.order.join('\n')}`)
    assert.ok(states >= leastStates, `only ${states} states`)
  })
}
