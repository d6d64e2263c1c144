/** Copies between stores of driver packed: what arrives, under which names, and that damage does not. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PhylloError, Store, type StoreOptions } from '../../src/index.js'
import { configOf, digestOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { Random } from '../build/random-tar.js'
import { archiveFile, leftovers, published, scratchDir, scratchStore } from '../build/store.js'
import { dir, file, tar } from '../build/tar.js'

const base = tar([dir('etc/'), file('etc/hostname', 'base\n'), file('etc/gone', 'x')])
const upper = tar([dir('etc/'), file('etc/.wh.gone'), file('etc/motd', 'hello\n'.repeat(9000))])
const parent: MadeImage = { layers: [base], tags: ['app:base'] }
const child: MadeImage = { layers: [base, upper, base], tags: ['app:v1', 'app:v2', 'localhost:5000/other:1'] }
const unnamed: MadeImage = { layers: [layerTar({ u: '3' })] }
const empty: MadeImage = { layers: [], tags: ['none:1'] }

async function sourceOf(t: TestContext, images: readonly MadeImage[], options: StoreOptions = {}): Promise<Store> {
  const store = await scratchStore(t, options)
  const parents =
    images.includes(parent) && images.includes(child) ? { [images.indexOf(child)]: imageIdOf(parent) } : {}
  await store.load(archiveFile(t, legacyArchive(images, parents)))
  return store
}

const tagsIn = async (store: Store) => (await store.images({ all: true })).flatMap(({ tags }) => tags).sort()
const contentOf = (layer: Buffer) => join('packed', `${digestOf(layer).slice('sha256:'.length)}.tar.lz4`)

for (const [from, to] of [
  ['lz4', 'lz4'],
  ['lz4', 'none'],
  ['none', 'lz4'],
  ['none', 'none'],
] as const)
  for (const workers of [0, 2])
    test(`${from} to ${to}, workers: ${workers}: images arrive as if the archive had been loaded`, async t => {
      const images = [parent, child, unnamed, empty]
      const source = await sourceOf(t, images, { compression: from })
      const expected = await sourceOf(t, images, { compression: to })
      const target = await scratchStore(t, { compression: to, workers })
      const copied = await source.copy(images.map(imageIdOf), target)
      assert.deepEqual(
        copied.map(({ id, parent, layers }) => [id, parent, layers.map(({ diffId }) => diffId)]),
        images.map(image => [
          imageIdOf(image),
          image === child ? imageIdOf(parent) : undefined,
          image.layers.map(digestOf),
        ]),
      )
      assert.deepEqual(copied[1]!.configBytes, configOf(child))
      await source.copy(['app', 'localhost:5000/other', 'none:1'], target)
      assert.deepEqual(published(target.root), published(expected.root))
      assert.deepEqual([leftovers(source.root), leftovers(target.root)], [[], []])
      const out = join(scratchDir(t), 'out.tar')
      const again = join(scratchDir(t), 'again.tar')
      await expected.save(['app', 'none:1'], out)
      await target.save(['app', 'none:1'], again)
      assert.ok(readFileSync(again).equals(readFileSync(out)))
    })

test('names come along as they do for save: a repository with all of its tags, an id with none', async t => {
  const source = await sourceOf(t, [parent, child, unnamed])
  for (const [words, expected] of [
    ['app:v1', ['app:v1']],
    ['app', ['app:base', 'app:v1', 'app:v2']],
    [
      ['app:v2', 'localhost:5000/other:1'],
      ['app:v2', 'localhost:5000/other:1'],
    ],
    [imageIdOf(child), []],
    [imageIdOf(unnamed).slice('sha256:'.length, 20), []],
  ] as const) {
    const target = await scratchStore(t)
    await source.copy(words, target)
    assert.deepEqual(await tagsIn(target), expected)
  }
})

test('a parent is told if it is copied, too', async t => {
  const source = await sourceOf(t, [parent, child])
  const parentOf = async (words: string[]) => {
    const target = await scratchStore(t)
    await source.copy(words, target)
    return (await target.image(imageIdOf(child)))?.parent
  }
  assert.equal(await parentOf(['app:v1']), undefined)
  assert.equal(await parentOf(['app:v1', 'app:base']), imageIdOf(parent))
})

test('a name that another image has is taken from it, which is told', async t => {
  const source = await sourceOf(t, [child])
  const target = await sourceOf(t, [{ ...unnamed, tags: ['app:v1'] }])
  const copying = source.copy('app:v1', target)
  const told: string[] = []
  for await (const event of copying) if (event.type === 'warning') told.push(event.subject)
  await copying
  assert.deepEqual(told, ['app:v1'])
  assert.equal((await target.image('app:v1'))?.id, imageIdOf(child))
})

test('what is there already is not written again, and its bytes are told as reused', async t => {
  const source = await sourceOf(t, [parent, child])
  const target = await sourceOf(t, [parent])
  const copying = source.copy('app:v1', target)
  const layers: string[] = []
  for await (const { type, message } of copying as AsyncIterable<{ type: string; message?: string }>)
    if (type === 'layer') layers.push(message!)
  await copying
  assert.deepEqual(layers.sort(), ['Layer already exists', 'Loaded layer'])
  assert.ok(copying.report.bytesRead > 0 && copying.report.bytesReused > 0)
  const again = source.copy('app:v1', target)
  await again
  assert.deepEqual([again.report.bytesRead, again.report.bytesWritten], [0, 0])
})

test('a source that is open for reading only is read, and not a byte of it is written', async t => {
  const { root } = await sourceOf(t, [parent, child])
  const before = published(root)
  await using source = await Store.open(root, { readOnly: true })
  const target = await scratchStore(t)
  await source.copy('app', target)
  assert.deepEqual(await tagsIn(target), ['app:base', 'app:v1', 'app:v2'])
  assert.deepEqual(published(root), before)
})

test('a copy into the same store, or into another one of the same directory, changes nothing', async t => {
  const source = await sourceOf(t, [parent, child])
  await using second = await Store.open(source.root, { durability: 'none' })
  const before = published(source.root)
  for (const target of [source, second]) {
    const copied = await source.copy('app', target)
    assert.deepEqual(copied.map(({ id }) => id).sort(), [imageIdOf(parent), imageIdOf(child)].sort())
    assert.deepEqual(published(source.root), before)
  }
})

test('two stores into each other at once: both have all of it', async t => {
  const [one, other] = [await sourceOf(t, [child]), await sourceOf(t, [parent, unnamed])]
  await Promise.all([one.copy(['app', 'localhost:5000/other'], other), other.copy(['app', imageIdOf(unnamed)], one)])
  assert.deepEqual(await tagsIn(one), await tagsIn(other))
  assert.deepEqual([leftovers(one.root), leftovers(other.root)], [[], []])
})

test('refused: no image of that name, a target for reading only, one that is closed, and what is no store', async t => {
  const source = await sourceOf(t, [child])
  const target = await sourceOf(t, [unnamed])
  const before = published(target.root)
  await assert.rejects(Promise.resolve(source.copy(['app:v1', 'nope'], target)), { code: 'IMAGE_NOT_FOUND' })
  assert.deepEqual([published(target.root), leftovers(target.root)], [before, []])
  await using reading = await Store.open(target.root, { readOnly: true })
  await assert.rejects(Promise.resolve(source.copy('app:v1', reading)), { code: 'STORE_READ_ONLY' })
  const closed = await scratchStore(t)
  await closed.close()
  assert.throws(() => source.copy('app:v1', closed), { code: 'STORE_CLOSED' })
  assert.throws(() => closed.copy('app:v1', source), { code: 'STORE_CLOSED' })
  assert.throws(() => source.copy('app:v1', {} as Store), TypeError)
})

test("the target's limits count, whatever those of the source are", async t => {
  const source = await sourceOf(t, [child])
  for (const [limits, limit] of [
    [{ layerBytes: 2048 }, 'layerBytes'],
    [{ imageLayers: 2 }, 'imageLayers'],
    [{ jsonBytes: 100 }, 'jsonBytes'],
  ] as const) {
    const target = await scratchStore(t, { limits })
    const before = published(target.root)
    await assert.rejects(Promise.resolve(source.copy('app:v1', target)), { code: 'LIMIT_EXCEEDED', limit })
    assert.deepEqual([published(target.root), leftovers(target.root)], [before, []])
  }
})

test('closing either store waits for the copy', async t => {
  for (const closes of ['source', 'target'] as const) {
    const stores = { source: await sourceOf(t, [child]), target: await scratchStore(t) }
    const copying = stores.source.copy('app:v1', stores.target)
    await stores[closes].close()
    const [copied] = await copying
    assert.equal(copied?.id, imageIdOf(child))
  }
})

for (const compression of ['lz4', 'none'] as const)
  test(`${compression}: a layer file that is damaged, at any byte of it: the layer itself arrives, or nothing`, async t => {
    const seed = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`PHYLLO_SEED=${seed}`)
    const random = new Random(seed)
    const source = await sourceOf(t, [child], { compression })
    const path = join(source.root, contentOf(upper))
    const good = readFileSync(path)
    let target = await scratchStore(t, { compression })
    const before = published(target.root)
    for (let n = 0; n < 40; n++) {
      const bad = Buffer.from(good)
      const at = random.int(bad.length)
      bad[at]! ^= 1 + random.int(255)
      writeFileSync(path, bad)
      try {
        await source.copy('app:v1', target)
      } catch (error) {
        assert.ok(error instanceof PhylloError && ['STORE_CORRUPT', 'STORE_VERSION'].includes(error.code), `${error}`)
        assert.equal(error.path, path)
        assert.deepEqual([published(target.root), leftovers(target.root)], [before, []], `byte ${at}`)
        continue
      }
      // Of some bytes nothing depends: a few headers, and zeros between sections.
      assert.ok(readFileSync(join(target.root, contentOf(upper))).equals(good), `byte ${at}`)
      target = await scratchStore(t, { compression })
    }
  })

test('a layer file that holds another layer, and one that is not there, are STORE_CORRUPT', async t => {
  const source = await sourceOf(t, [child])
  const target = await sourceOf(t, [unnamed])
  const before = published(target.root)
  const path = join(source.root, contentOf(upper))
  writeFileSync(path, readFileSync(join(source.root, contentOf(base))))
  const refused = async () => {
    await assert.rejects(Promise.resolve(source.copy('app:v1', target)), { code: 'STORE_CORRUPT', path })
    assert.deepEqual([published(target.root), leftovers(target.root)], [before, []])
  }
  await refused()
  rmSync(path)
  await refused()
})

/** Large enough to be caught in the middle. */
const large = Array.from({ length: 3 }, (_, i) =>
  tar([file(`f${i}`, randomBytes(9_000_000)), file(`z${i}`, `${i}`.repeat(5_000_000))]),
)

for (const workers of [0, 2])
  test(`workers: ${workers}: aborted at any time, a copy leaves nothing behind`, async t => {
    const source = await sourceOf(t, [{ layers: large, tags: ['large:1'] }])
    const target = await scratchStore(t, { workers })
    const before = published(target.root)
    const reason = new Error('changed my mind')
    let aborted = 0
    for (const delayMs of [0, 1, 5, 10, 20, 40, 60]) {
      const abort = new AbortController()
      const copying = source.copy('large:1', target, { signal: abort.signal })
      setTimeout(() => abort.abort(reason), delayMs)
      const outcome = await copying.then(
        () => 'done',
        error => error,
      )
      if (outcome === 'done') break
      aborted++
      assert.equal(outcome, reason)
      assert.deepEqual([published(target.root), leftovers(target.root)], [before, []], `after ${delayMs} ms`)
      assert.deepEqual(leases(source.root), [])
    }
    assert.ok(aborted > 1, `only ${aborted} copies were caught`)
    await sleep(20)
    const [image] = await source.copy('large:1', target)
    assert.equal(image?.layers.length, 3)
    assert.deepEqual([leases(source.root), leases(target.root)], [[], []])
  })

/** Owners' own files have no dot in their names. */
const leases = (root: string) => readdirSync(join(root, 'phyllo/owners')).filter(name => name.includes('.'))
