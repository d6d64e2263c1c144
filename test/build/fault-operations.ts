/**
 * What is done with a store while calls of it fail: one line a kind of work. Each can be done again whatever it left behind, and says
 * which images and containers there must be after so many steps.
 */
import assert from 'node:assert/strict'
import { createReadStream, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Container, Store } from '../../src/index.js'
import { type ImageKey, idOf, noise, writeArchive } from './crash-images.js'
import type { CrashDriver } from './crash-operations.js'
import { file, tar } from './tar.js'

/** Names of images and what they are; `any`: one whose id is not known before. */
export interface FaultState {
  readonly tags: Readonly<Record<string, string>>
  readonly containers: readonly string[]
}

export interface FaultWork {
  readonly store: Store
  /** Where the archives are, and where outputs go. */
  readonly dir: string
  readonly driver: CrashDriver
  /** A step is done, and nothing may take it back. */
  readonly told: () => void
  /** What could not be closed is still open, and is to be closed again. */
  readonly opened: Set<{ close(): Promise<void> }>
}

type Preparing = Omit<FaultWork, 'told' | 'opened'>

export interface FaultOperation {
  readonly name: string
  prepare(work: Preparing): Promise<void>
  run(work: FaultWork): Promise<void>
  /** After 0, 1, 2, … steps; the last one holds for all that come after. */
  readonly states: readonly FaultState[]
  /** Contents of layers are damaged after `prepare`, and the first step mends them. */
  readonly damaged?: boolean
}

export const any = 'any'
const [a, b, c, d] = [idOf('a'), idOf('b'), idOf('c'), idOf('d')]

const images = (tags: FaultState['tags'], containers: readonly string[] = []): FaultState => ({ tags, containers })

/** Loads images under these names. */
async function fill({ store, dir }: Preparing, tags: Partial<Record<ImageKey, readonly string[]>>) {
  const path = writeArchive(dir, 'first.tar', tags)
  await store.load(path)
  rmSync(path)
}

/** Closes it also after a failure, which is then what is told. */
async function using<T extends { close(): Promise<void> }>(
  opening: Promise<T>,
  work: (opened: T) => unknown,
  { opened }: Partial<FaultWork> = {},
): Promise<void> {
  const thing = await opening
  opened?.add(thing)
  const close = () => thing.close().then(() => opened?.delete(thing))
  try {
    await work(thing)
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
  await close()
}

function change(box: Container): void {
  box.mkdirSync('/new/deep', { recursive: true })
  box.writeFileSync('/new/small', 'small')
  box.writeFileSync('/new/deep/large', noise(150_000, 5))
  box.appendFileSync('/etc/motd', 'more')
  box.chmodSync('/usr/lib/now', 0o700)
  box.rmSync('/usr/lib/3')
  box.renameSync('/new/deep', '/moved')
  box.symlinkSync('/moved', '/new/link')
}

function look(view: Pick<Container, 'readFileSync' | 'readdirSync'>): void {
  assert.equal(view.readFileSync('/usr/lib/1', 'utf8'), '1'.repeat(1000))
  assert.equal(view.readFileSync('/etc/large').length, 300_000)
  assert.ok(view.readdirSync('/').length > 2)
}

const moved = { 'keep:1': a, 'moved:1': a }
const loaded = { 'keep:1': a, 'moved:1': c, 'new:1': b }
const loads = { b: ['new:1'], c: ['moved:1'] } as const

const forLoad: FaultOperation['prepare'] = async work => {
  await fill(work, { a: ['keep:1', 'moved:1'] })
  const path = writeArchive(work.dir, 'in.tar', loads)
  writeFileSync(join(work.dir, 'in.tgz'), gzipSync(readFileSync(path), { level: 1 }))
}

const saving = (name: string, format: 'docker-archive' | 'oci-archive'): FaultOperation => ({
  name,
  prepare: work => fill(work, { a: ['keep:1'], c: ['keep:2'] }),
  async run({ store, dir }) {
    await store.save(['keep:1', 'keep:2'], join(dir, 'output'), { format })
  },
  states: [images({ 'keep:1': a, 'keep:2': c })],
})

const imageOperations: readonly FaultOperation[] = [
  {
    name: 'load',
    prepare: forLoad,
    async run({ store, dir, told }) {
      await store.load(join(dir, 'in.tar'))
      told()
    },
    states: [images(moved), images(loaded)],
  },
  {
    name: 'load of a stream',
    prepare: forLoad,
    async run({ store, dir, told }) {
      await store.load(createReadStream(join(dir, 'in.tgz')))
      told()
    },
    states: [images(moved), images(loaded)],
  },
  {
    name: 'import',
    async prepare(work) {
      await fill(work, { a: ['keep:1'] })
      writeFileSync(join(work.dir, 'root.tar'), tar([file('etc/made', 'made'), file('large', noise(200_000, 9))]))
    },
    async run({ store, dir, told }) {
      await store.import(join(dir, 'root.tar'), { reference: 'made:1' })
      told()
    },
    states: [images({ 'keep:1': a }), images({ 'keep:1': a, 'made:1': any })],
  },
  saving('save', 'docker-archive'),
  saving('save as OCI', 'oci-archive'),
  {
    name: 'copy',
    prepare: work => fill(work, { a: ['keep:1'], c: ['keep:2'] }),
    async run({ store, dir, driver }) {
      const root = join(dir, 'other')
      await using(Store.open(root, { driver, workers: 0 }), other => store.copy(['keep:1', 'keep:2'], other))
      await using(Store.open(root, { workers: 0, readOnly: true }), async other => {
        assert.deepEqual((await other.images()).map(({ id }) => id).sort(), [a, c].sort())
      })
    },
    states: [images({ 'keep:1': a, 'keep:2': c })],
  },
  {
    name: 'tag',
    prepare: work => fill(work, { a: ['keep:1', 'moved:1'], c: ['keep:2'] }),
    async run({ store, told }) {
      await store.tag('keep:1', 'new:1')
      told()
      await store.tag('keep:2', 'moved:1')
      told()
    },
    states: [
      images({ 'keep:1': a, 'moved:1': a, 'keep:2': c }),
      images({ 'keep:1': a, 'moved:1': a, 'keep:2': c, 'new:1': a }),
      images({ 'keep:1': a, 'moved:1': c, 'keep:2': c, 'new:1': a }),
    ],
  },
  {
    name: 'view',
    prepare: work => fill(work, { a: ['keep:1'] }),
    run: ({ store, opened }) => using(store.view('keep:1'), look, { opened }),
    states: [images({ 'keep:1': a })],
  },
  {
    name: 'unpack',
    prepare: work => fill(work, { a: ['keep:1'] }),
    async run({ store, dir }) {
      rmSync(join(dir, 'unpacked'), { recursive: true, force: true })
      await store.unpack('keep:1', join(dir, 'unpacked'))
      rmSync(join(dir, 'unpacked'), { recursive: true })
    },
    states: [images({ 'keep:1': a })],
  },
]

const containerOperations: readonly FaultOperation[] = [
  {
    name: 'commit',
    async prepare(work) {
      await fill(work, { a: ['keep:1'] })
      await using(work.store.create('keep:1', { name: 'box' }), change)
    },
    run: ({ store, told, opened }) =>
      using(
        store.container('box'),
        async box => {
          await box.commit({ tag: 'made:1', changes: ['CMD ["made"]'] })
          told()
        },
        { opened },
      ),
    states: [images({ 'keep:1': a }, ['box']), images({ 'keep:1': a, 'made:1': any }, ['box'])],
  },
  {
    name: 'export',
    async prepare(work) {
      await fill(work, { a: ['keep:1'] })
      await using(work.store.create('keep:1', { name: 'box' }), change)
    },
    run: ({ store, dir, opened }) => using(store.container('box'), box => box.export(join(dir, 'output')), { opened }),
    states: [images({ 'keep:1': a }, ['box'])],
  },
  {
    name: 'container',
    async prepare(work) {
      await fill(work, { a: ['keep:1'] })
      await using(work.store.create('keep:1', { name: 'old' }), change)
    },
    async run({ store, told, opened }) {
      const names = (await store.containers()).map(({ name }) => name)
      if (names.includes('old')) await store.removeContainer('old')
      told()
      if (names.includes('new')) await store.removeContainer('new')
      const fill = async (box: Container) => {
        change(box)
        await box.sync()
      }
      await using(store.create('keep:1', { name: 'new' }), fill, { opened })
      told()
      await using(store.container('new'), look, { opened })
      await using(store.container('new', { readOnly: true }), look, { opened })
    },
    states: [images({ 'keep:1': a }, ['old']), images({ 'keep:1': a }, []), images({ 'keep:1': a }, ['new'])],
  },
]

/** Another store with all that a store can have open, and a new one. */
const storeOperations: readonly FaultOperation[] = [
  {
    name: 'open and close',
    async prepare(work) {
      await fill(work, { a: ['keep:1'] })
      await using(work.store.create('keep:1', { name: 'box' }), change)
    },
    run: ({ dir, driver }) =>
      using(Store.open(join(dir, 'store'), { driver, workers: 0 }), async store => {
        look(await store.view('keep:1'))
        const box = await store.container('box')
        box.writeFileSync('/more', noise(90_000, 4))
        box.appendFileSync('/new/small', 'more')
      }),
    states: [images({ 'keep:1': a }, ['box'])],
  },
  {
    name: 'a new store',
    prepare: work => fill(work, { a: ['keep:1'] }),
    run: ({ dir, driver }) =>
      using(Store.open(join(dir, 'other'), { driver, workers: 0 }), async store => {
        assert.deepEqual(await store.images(), [])
      }),
    states: [images({ 'keep:1': a })],
  },
]

const upkeepOperations: readonly FaultOperation[] = [
  {
    name: 'rmi',
    prepare: work => fill(work, { a: ['keep:1', 'gone:1'], b: ['gone:2'] }),
    async run({ store, told }) {
      for (const name of ['gone:1', 'gone:2']) {
        if ((await store.image(name)) !== undefined) await store.remove(name)
        told()
      }
    },
    states: [
      images({ 'keep:1': a, 'gone:1': a, 'gone:2': b }),
      images({ 'keep:1': a, 'gone:2': b }),
      images({ 'keep:1': a }),
    ],
  },
  {
    name: 'prune',
    async prepare(work) {
      await fill(work, { a: ['keep:1'], b: ['gone:2'], c: ['gone:3'] })
      for (const name of ['gone:2', 'gone:3']) await work.store.tag('keep:1', name)
    },
    async run({ store, told }) {
      await store.prune()
      told()
      assert.equal((await store.images()).length, 1)
    },
    states: [images({ 'keep:1': a, 'gone:2': a, 'gone:3': a })],
  },
  {
    name: 'gc',
    async prepare(work) {
      await fill(work, { a: ['keep:1'], b: ['gone:2'], c: ['gone:3'] })
      forgetImages(join(work.dir, 'store/image', work.driver))
    },
    async run({ store, told }) {
      await store.gc()
      told()
    },
    states: [images({ 'keep:1': a })],
  },
  {
    name: 'df',
    async prepare(work) {
      await fill(work, { a: ['keep:1'] })
      await using(work.store.create('keep:1', { name: 'box' }), change)
    },
    async run({ store }) {
      await store.diskUsage()
    },
    states: [images({ 'keep:1': a }, ['box'])],
  },
  {
    name: 'check',
    async prepare(work) {
      await fill(work, { a: ['keep:1'], c: ['keep:2'] })
      await using(work.store.create('keep:1', { name: 'box' }), change)
    },
    async run({ store, told }) {
      const { findings } = await store.check({ depth: 'full' })
      // What a check cannot read is what it finds.
      assert.deepEqual([...new Set(findings.map(({ kind }) => kind))].join(), findings.length > 0 ? 'unreadable' : '')
      told()
    },
    states: [images({ 'keep:1': a, 'keep:2': c }, ['box'])],
  },
  {
    name: 'repair',
    damaged: true,
    async prepare(work) {
      await fill(work, { a: ['keep:1'], d: ['keep:2'] })
      writeArchive(work.dir, 'in.tar', { a: [], d: [] })
    },
    async run({ store, dir, told }) {
      await store.repair({ from: join(dir, 'in.tar') })
      told()
    },
    states: [images({ 'keep:1': a, 'keep:2': d })],
  },
]

export const faultOperations: readonly FaultOperation[] = [
  ...imageOperations,
  ...containerOperations,
  ...upkeepOperations,
  ...storeOperations,
]

/** Takes out by hand all images that have a name `gone`, and the name, so that nothing uses their layers. */
function forgetImages(image: string): void {
  const path = join(image, 'repositories.json')
  const { Repositories } = JSON.parse(readFileSync(path, 'utf8')) as { Repositories: Record<string, unknown> }
  const { gone: _, ...kept } = Repositories
  writeFileSync(path, JSON.stringify({ Repositories: kept }))
  const configs = join(image, 'imagedb/content/sha256')
  for (const name of readdirSync(configs)) if (`sha256:${name}` !== a) rmSync(join(configs, name))
}
