/** A store that is to leave all of its disk free: what adds bytes is refused, and what does not is done. */
import assert from 'node:assert/strict'
import { createReadStream, existsSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Store, type StoreOptions } from '../../src/index.js'
import { layerTar, legacyArchive } from '../build/image.js'
import { archiveFile, leftovers, scratchDir, scratchStore } from '../build/store.js'
import { listing } from '../build/stores.js'

const none: StoreOptions = {
  workers: 0,
  durability: 'none',
  limits: { reserveBytes: Number.MAX_SAFE_INTEGER, reservePercent: 100 },
}
const layer = layerTar({ 'etc/motd': 'hello', 'etc/more': 'x'.repeat(10_000) })
const archive = (t: TestContext, tag: string) =>
  archiveFile(t, legacyArchive([{ layers: [layer, layerTar({ [tag]: tag })], tags: [`${tag}:1`] }]))

/** With an image `there:1`. */
async function store(t: TestContext, driver: StoreOptions = {}): Promise<Store> {
  const before = await scratchStore(t, { ...driver, workers: 0 })
  await before.load(archive(t, 'there'))
  const opened = await Store.open(before.root, { ...none, ...driver })
  t.after(() => opened.close())
  return opened
}

test('what adds layers is refused, and the store is as before', async t => {
  const full = await store(t)
  const other = await scratchStore(t, { workers: 0 })
  await other.load(archive(t, 'new'))
  const box = await full.create('there:1')
  box.writeFileSync('/own', 'own')
  const [input, root] = [archive(t, 'new'), archiveFile(t, layer)]
  const adding: Record<string, () => PromiseLike<unknown>> = {
    load: () => full.load(input),
    'load of a stream': () => full.load(createReadStream(input)),
    import: () => full.import(root),
    'import of a stream': () => full.import(createReadStream(root)),
    copy: () => other.copy(['new:1'], full),
    commit: () => box.commit(),
  }
  await box.sync()
  const before = listing(full.root)
  for (const [name, add] of Object.entries(adding)) {
    await assert.rejects(async () => add(), { code: 'DISK_FULL', path: full.root, name: 'PhylloError' }, name)
    assert.deepEqual(leftovers(full.root), [], name)
    assert.deepEqual(listing(full.root), before, name)
  }
  await box.close()
})

test('what adds no layers is done', async t => {
  const full = await store(t)
  await full.load(archive(t, 'there'))
  await full.tag('there:1', 'there:2')
  const box = await full.create('there:1')
  await box.commit({ tag: 'again:1' })
  await box.remove()
  await full.remove('there:2')
  await full.prune({ all: true })
  await full.gc()
  assert.deepEqual(await full.images(), [])
})

test('unpacking is refused, and leaves nothing', async t => {
  const full = await store(t)
  const directory = join(scratchDir(t), 'tree')
  await assert.rejects(async () => full.unpack('there:1', directory), { code: 'DISK_FULL' })
  assert.equal(existsSync(directory), false)
})

test('with no reserve the same is done', async t => {
  const full = await store(t)
  const free = await Store.open(full.root, { ...none, limits: { reserveBytes: 0 } })
  await free.load(archive(t, 'new'))
  await free.unpack('there:1', join(scratchDir(t), 'tree'))
  await free.close()
})
