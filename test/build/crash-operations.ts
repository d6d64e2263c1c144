/**
 * What a process is killed at: one line a kind of work in `crashOperations`. Each begins with a directory that `prepare` fills
 * (`store`, and archives beside it), can be done again whatever it left behind, and says what must and may be there after
 * so many steps.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Container, Store, type StoreOptions } from '../../src/index.js'
import type { Pool } from '../../src/pool/pool.js'
import { abandonStore } from './crash-abandoned.js'
import { idOf, writeArchive } from './crash-images.js'
import { containerStates, containerSteps, isSameState, shownState, stepsBetweenSyncs } from './crash-steps.js'
import type { Judgement } from './naive-store.js'

export type CrashDriver = 'packed' | 'overlay2'

/** What an image is called and which it is; `any`: one whose id is not known before. */
type Tags = Readonly<Record<string, string>>
const any = 'any'

export interface CrashWork {
  readonly store: Store
  /** Where the archives are, and where an output goes. */
  readonly dir: string
  readonly driver: CrashDriver
  /** A step is done, and nothing may take it back. */
  readonly told: () => void
}

/** What somebody else finds. */
export interface CrashFinding {
  readonly judgement: Judgement
  readonly dir: string
  readonly driver: CrashDriver
  /** Steps that were told. */
  readonly told: number
  /** Opens the store, which ends what a death has left behind. */
  readonly open: () => Promise<Store>
}

export interface CrashOperation {
  readonly name: string
  prepare(work: Omit<CrashWork, 'told'>): Promise<void>
  run(work: CrashWork): Promise<void>
  /** The names of images after 0, 1, 2, … steps; the last one holds for all that come after. */
  readonly tags: readonly Tags[]
  /** The same for names of containers. */
  readonly containers?: readonly (readonly string[])[]
  /** What is there may be in limbo until somebody opens the store. */
  readonly unsettled?: boolean
  /** Contents of layers are damaged after `prepare`, and the first step mends them. */
  readonly damaged?: boolean
  /** What else must be there. */
  verify?(finding: CrashFinding): Promise<void>
}

export interface CrashRun {
  readonly driver: CrashDriver
  readonly dir: string
  readonly pool: Pool
  readonly told: () => void
}

/** From opening the store until it is closed. */
export async function runOperation(operation: CrashOperation, { driver, dir, pool, told }: CrashRun): Promise<void> {
  await using store = await openStore(dir, driver, { pool })
  await operation.run({ store, dir, driver, told })
}

/** Nothing of it waits for a disk: what a power cut costs is asked elsewhere. */
export function openStore(dir: string, driver: CrashDriver, options: StoreOptions = {}): Promise<Store> {
  return Store.open(join(dir, 'store'), { driver, ...options })
}

/** Throws AssertionError when names say something that they cannot after so many steps. */
export function verifyNames({ tags, containers = [[]] }: CrashOperation, told: number, found: Judgement): void {
  const states = [tags[Math.min(told, tags.length - 1)]!, tags[Math.min(told + 1, tags.length - 1)]!]
  for (const name of new Set([...found.tags.keys(), ...states.flatMap(state => Object.keys(state))])) {
    const allowed = states.map(state => state[name])
    const actual = found.tags.get(name)
    const fits = allowed.includes(actual) || (actual !== undefined && allowed.includes(any))
    assert.ok(fits, `after step ${told}, ${name} is ${actual}, not ${allowed.join(' or ')}`)
  }
  const boxes = [
    containers[Math.min(told, containers.length - 1)]!,
    containers[Math.min(told + 1, containers.length - 1)]!,
  ]
  for (const name of new Set([...found.containers, ...boxes.flat()])) {
    const allowed = boxes.map(state => state.includes(name))
    assert.ok(allowed.includes(found.containers.has(name)), `after step ${told}, container ${name} is there or is not`)
  }
}

const [a, b, c, d] = [idOf('a'), idOf('b'), idOf('c'), idOf('d')]

/** Loads images under these names. */
async function load({ store, dir }: Pick<CrashWork, 'store' | 'dir'>, tags: Parameters<typeof writeArchive>[2]) {
  const path = writeArchive(dir, 'first.tar', tags)
  await store.load(path)
  rmSync(path)
}

async function untag({ store }: CrashWork, name: string): Promise<void> {
  if ((await store.image(name)) !== undefined) await store.remove(name)
}

async function changeAll(box: Container, told?: (step: number) => void): Promise<void> {
  for (const [index, { apply }] of containerSteps.entries()) {
    apply(box)
    if ((index + 1) % stepsBetweenSyncs === 0) {
      await box.sync()
      told?.(index + 1)
    } else if (index % 3 === 0) await new Promise(resolve => setTimeout(resolve, 15))
  }
}

export const crashOperations: readonly CrashOperation[] = [
  {
    name: 'load',
    async prepare(work) {
      await load(work, { a: ['keep:1', 'moved:1'] })
      writeArchive(work.dir, 'in.tar', { b: ['new:1', 'new:2'], c: ['new:3', 'moved:1'], d: [] })
    },
    async run({ store, dir, told }) {
      await store.load(join(dir, 'in.tar'))
      told()
    },
    tags: [
      { 'keep:1': a, 'moved:1': a },
      { 'keep:1': a, 'moved:1': c, 'new:1': b, 'new:2': b, 'new:3': c },
    ],
  },
  {
    name: 'save',
    async prepare(work) {
      await load(work, { a: ['keep:1'], d: ['keep:2'] })
      await work.store.save(['keep:1', 'keep:2'], join(work.dir, 'expected'))
    },
    async run({ store, dir, told }) {
      await store.save(['keep:1', 'keep:2'], join(dir, 'output'))
      told()
    },
    tags: [{ 'keep:1': a, 'keep:2': d }],
    async verify({ dir, told }) {
      const path = join(dir, 'output')
      if (told === 0 && !existsSync(path)) return
      assert.ok(readFileSync(path).equals(readFileSync(join(dir, 'expected'))), 'the archive is not whole')
    },
  },
  {
    name: 'tag',
    prepare: work => load(work, { a: ['keep:1', 'moved:1'], b: ['keep:2'] }),
    async run({ store, told }) {
      for (const [from, to] of [
        ['keep:1', 'new:1'],
        ['keep:2', 'moved:1'],
        ['keep:2', 'other/new:1'],
      ] as const) {
        await store.tag(from, to)
        told()
      }
    },
    tags: [
      { 'keep:1': a, 'moved:1': a, 'keep:2': b },
      { 'keep:1': a, 'moved:1': a, 'keep:2': b, 'new:1': a },
      { 'keep:1': a, 'moved:1': b, 'keep:2': b, 'new:1': a },
      { 'keep:1': a, 'moved:1': b, 'keep:2': b, 'new:1': a, 'other/new:1': b },
    ],
  },
  {
    name: 'commit',
    async prepare(work) {
      await load(work, { a: ['keep:1'] })
      await using box = await work.store.create('keep:1', { name: 'box' })
      await changeAll(box)
    },
    async run({ store, told }) {
      await using box = await store.container('box')
      for (const tag of ['made:1', 'made:2']) {
        await box.commit({ tag, changes: ['CMD ["made"]'] })
        told()
        box.writeFileSync('/later', 'later')
      }
    },
    tags: [{ 'keep:1': a }, { 'keep:1': a, 'made:1': any }, { 'keep:1': a, 'made:1': any, 'made:2': any }],
    containers: [['box']],
    async verify({ open, told }) {
      await using store = await open()
      if (told === 0 && (await store.image('made:1')) === undefined) return
      await using view = await store.view('made:1')
      assert.ok(isSameState(shownState(view as Container), containerStates().at(-1)!), 'the image is not the container')
    },
  },
  {
    name: 'rmi',
    prepare: work => load(work, { a: ['keep:1', 'gone:1'], b: ['gone:2'], c: ['gone:3'], d: ['keep:2'] }),
    async run(work) {
      for (const name of ['gone:1', 'gone:2', 'gone:3']) {
        await untag(work, name)
        work.told()
      }
    },
    tags: [
      { 'keep:1': a, 'gone:1': a, 'gone:2': b, 'gone:3': c, 'keep:2': d },
      { 'keep:1': a, 'gone:2': b, 'gone:3': c, 'keep:2': d },
      { 'keep:1': a, 'gone:3': c, 'keep:2': d },
      { 'keep:1': a, 'keep:2': d },
    ],
  },
  {
    name: 'create and rm',
    async prepare(work) {
      await load(work, { a: ['keep:1'] })
      await using box = await work.store.create('keep:1', { name: 'old' })
      await changeAll(box)
    },
    async run({ store, told }) {
      const names = (await store.containers()).map(({ name }) => name)
      if (names.includes('old')) await store.removeContainer('old')
      told()
      if (names.includes('new')) await store.removeContainer('new')
      await using _box = await store.create('keep:1', { name: 'new' })
      told()
    },
    tags: [{ 'keep:1': a }],
    containers: [['old'], [], ['new']],
  },
  {
    name: 'container',
    async prepare(work) {
      await load(work, { a: ['keep:1'] })
      await using _box = await work.store.create('keep:1', { name: 'box' })
    },
    async run({ store, told }) {
      const boxes = await store.containers()
      if (boxes.length > 0) await store.removeContainer('box')
      told()
      await using box = await store.create('keep:1', { name: 'box' })
      told()
      await changeAll(box, told)
    },
    tags: [{ 'keep:1': a }],
    containers: [['box'], [], ['box']],
    async verify({ open, told, judgement }) {
      if (!judgement.containers.has('box')) return
      await using store = await open()
      await using box = await store.container('box', { readOnly: true })
      const [found, states] = [shownState(box), containerStates()]
      const least = Math.max(0, told - 2) * stepsBetweenSyncs
      const at = states.findIndex((state, index) => index >= least && isSameState(state, found))
      assert.ok(at >= 0, `what the container shows is nothing that was there from step ${least} on`)
    },
  },
  {
    name: 'prune',
    async prepare(work) {
      await load(work, { a: ['keep:1'], b: ['gone:2'], c: ['gone:3'], d: ['keep:2'] })
      for (const name of ['gone:2', 'gone:3']) await work.store.tag('keep:1', name)
    },
    async run({ store, told }) {
      await store.prune()
      told()
    },
    tags: [{ 'keep:1': a, 'gone:2': a, 'gone:3': a, 'keep:2': d }],
    async verify({ judgement, told }) {
      if (told > 0) assert.deepEqual([...judgement.images].sort(), [a, d].sort())
    },
  },
  {
    name: 'gc',
    async prepare({ store, dir, driver }) {
      await load({ store, dir }, { a: ['keep:1'], b: ['gone:2'], c: ['gone:3'] })
      forgetImages(join(dir, 'store/image', driver), [b, c])
    },
    async run({ store, told }) {
      await store.gc()
      told()
    },
    tags: [{ 'keep:1': a }],
  },
  {
    name: 'repair',
    damaged: true,
    async prepare(work) {
      await load(work, { a: ['keep:1'], d: ['keep:2'] })
      writeArchive(work.dir, 'in.tar', { a: [], d: [] })
    },
    async run({ store, dir, told }) {
      await store.repair({ from: join(dir, 'in.tar') })
      told()
    },
    tags: [{ 'keep:1': a, 'keep:2': d }],
  },
  {
    name: 'recovery',
    unsettled: true,
    async prepare(work) {
      await load(work, { a: ['keep:1'], b: ['keep:2'], c: ['keep:3'] })
      await abandonStore(join(work.dir, 'store'))
    },
    run: async ({ store, told }) => {
      await store.tag('keep:1', 'new:1')
      told()
    },
    tags: [
      { 'keep:1': a, 'keep:2': b, 'keep:3': c },
      { 'keep:1': a, 'keep:2': b, 'keep:3': c, 'new:1': a },
    ],
  },
]

/** Takes images and their names out by hand, so that nothing uses their layers. */
function forgetImages(image: string, ids: readonly string[]): void {
  const path = join(image, 'repositories.json')
  const { Repositories } = JSON.parse(readFileSync(path, 'utf8')) as {
    Repositories: Record<string, Record<string, string>>
  }
  const kept = Object.entries(Repositories).filter(([, keys]) => !Object.values(keys).some(id => ids.includes(id)))
  // `gone` holds nothing else.
  writeFileSync(path, JSON.stringify({ Repositories: Object.fromEntries(kept) }))
  for (const id of ids) rmSync(join(image, 'imagedb/content/sha256', id.slice(7)))
}
