/** Copies between drivers: a root of driver overlay2 that was copied into is as if it had been loaded into, for us and for dockerd. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Store } from '../../src/index.js'
import { startDockerd } from '../build/dockerd.js'
import { listDirectory, listView, untimedPaths } from '../build/full-listing.js'
import { archiveOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { oddImages } from '../build/odd-images.js'
import { Random } from '../build/random-tar.js'
import { differencesOf, rootFacts } from '../build/root-facts.js'
import { leftovers, published, scratchStore } from '../build/store.js'
import { dir, file, tar } from '../build/tar.js'

// Short, because the daemon's socket is in it, and paths of all layers must fit into one page of mount options.
const scratch = mkdtempSync('/tmp/pv-')
const [ours, loaded, second] = [join(scratch, 'o'), join(scratch, 'l'), join(scratch, 's')]
const archive = join(scratch, 'images.tar')
const seed = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 31))
const said = `PHYLLO_SEED=${seed}`
let images: readonly MadeImage[]
let packed: Store

const words = () => images.flatMap(image => image.tags ?? imageIdOf(image))
const overlay2 = (root: string) => Store.open(root, { driver: 'overlay2', durability: 'none' })

/** Both show the same tree. A directory has a time of its own where the layer file says that nobody has told one. */
async function assertSameTree(directories: Store, files: Store, image: string): Promise<void> {
  await using ours = await files.view(image)
  await using theirs = await directories.view(image)
  const untimed = untimedPaths(ours)
  assert.deepEqual(listView(theirs, untimed), listView(ours, untimed), `${image} ${said}`)
}

before(async () => {
  images = oddImages(new Random(seed), 5)
  writeFileSync(archive, archiveOf(legacyArchive(images)))
  packed = await Store.open(join(scratch, 'p'), { durability: 'none' })
  await packed.load(archive)
  await using store = await overlay2(loaded)
  await store.load(archive)
})
after(async () => {
  await packed.close()
  rmSync(scratch, { recursive: true, force: true })
})

test('packed to overlay2: every file of the root is what a load of the archive makes', async t => {
  t.diagnostic(said)
  {
    await using store = await overlay2(ours)
    const copied = await packed.copy(words(), store)
    assert.deepEqual(copied.map(({ id }) => id).sort(), images.map(imageIdOf).sort())
    assert.deepEqual(leftovers(ours), [])
  }
  assert.deepEqual(differencesOf(rootFacts(ours), rootFacts(loaded)), [], said)
})

test('overlay2 to overlay2: the same again, out of a root that is open for reading only', async t => {
  t.diagnostic(said)
  {
    await using source = await Store.open(ours, { readOnly: true })
    await using store = await overlay2(second)
    await source.copy(words(), store)
  }
  assert.deepEqual(differencesOf(rootFacts(second), rootFacts(loaded)), [], said)
})

test('overlay2 to packed: layer files byte for byte those of a load, and equal trees', async t => {
  t.diagnostic(said)
  await using source = await Store.open(ours, { readOnly: true })
  const target = await scratchStore(t)
  await source.copy(words(), target)
  assert.deepEqual(published(target.root), published(packed.root), said)
  for (const image of images) await assertSameTree(source, target, imageIdOf(image))
})

test('a dockerd lists, shows and saves what was copied into its root, and what it has made is copied out of it', async t => {
  t.diagnostic(said)
  const saved = join(scratch, 'saved.tar')
  let digests: string[]
  {
    await using dockerd = await startDockerd(join(scratch, 'd'), ours)
    const lines = (
      await dockerd.docker('images', '-a', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}')
    ).split('\n')
    const expected = images.flatMap(image => (image.tags ?? ['<none>:<none>']).map(tag => `${tag} ${imageIdOf(image)}`))
    assert.deepEqual(lines.filter(Boolean).sort(), expected.sort())
    // Every diffId is verified when it is saved, and when it is loaded.
    await dockerd.docker('save', '-o', saved, ...words())
    await dockerd.docker('create', '--name', 'box', 'odd:1', 'nothing')
    await dockerd.docker('cp', archive, 'box:/added')
    await dockerd.docker('commit', 'box', 'committed:1')
    const [{ RootFS }] = JSON.parse(await dockerd.docker('inspect', 'committed:1')) as [
      { RootFS: { Layers: string[] } },
    ]
    digests = RootFS.Layers
    const again = await scratchStore(t)
    await again.load(saved)
    assert.deepEqual((await again.images()).map(({ id }) => id).sort(), images.map(imageIdOf).sort())
    // While it lives, its root is read, and not written to.
    const target = await scratchStore(t)
    await using source = await Store.open(ours, { readOnly: true })
    const [image] = await source.copy('committed:1', target)
    assert.deepEqual(
      image?.layers.map(({ diffId }) => diffId),
      digests,
    )
    await assertSameTree(source, target, 'committed:1')
    await dockerd.docker('rm', 'box')
  }
})

const many = Array.from({ length: 126 }, (_, n) => layerTar({ [`${n}`]: '' }))
const twice = tar([dir('d/'), file('d/twice', 'a'), file('between', 'b'), file('d/twice', 'c')])

test('packed to overlay2: what that cannot represent is refused by name or count, and nothing is written', async t => {
  const source = await scratchStore(t)
  const path = join(scratch, 'bad.tar')
  writeFileSync(
    path,
    archiveOf(
      legacyArchive([
        { layers: many, tags: ['many:1'] },
        { layers: [layerTar({ good: 'x' }), twice], tags: ['twice:1'] },
      ]),
    ),
  )
  await source.load(path)
  await using store = await overlay2(ours)
  const before = rootFacts(ours)
  for (const [name, code, message] of [
    ['many:1', 'LIMIT_EXCEEDED', /126 layers, and driver overlay2 has at most 125/],
    ['twice:1', undefined, /d\/twice/],
  ] as const) {
    await assert.rejects(Promise.resolve(source.copy(name, store)), (error: Error & { code: string }) => {
      if (code !== undefined) assert.equal(error.code, code)
      assert.match(error.message, message)
      return true
    })
    assert.deepEqual([differencesOf(rootFacts(ours), before), leftovers(ours)], [[], []], name)
  }
})

test('overlay2 to packed: a file of a layer that was damaged, or is gone, is STORE_CORRUPT, and the target as it was', async t => {
  const target = await scratchStore(t)
  const before = published(target.root)
  await using source = await Store.open(second, { readOnly: true })
  const path = largeFile()
  const good = readFileSync(path)
  const refused = async () => {
    await assert.rejects(Promise.resolve(source.copy('odd:1', target)), (error: Error & { code: string }) => {
      assert.equal(error.code, 'STORE_CORRUPT')
      assert.match(error.message, /\/diff\/large: /)
      return true
    })
    assert.deepEqual([published(target.root), leftovers(target.root)], [before, []])
  }
  const bad = Buffer.from(good)
  bad[1_500_000]! ^= 1
  for (const bytes of [bad, good.subarray(1), Buffer.alloc(0)]) {
    writeFileSync(path, bytes)
    await refused()
  }
  rmSync(path)
  await refused()
})

function largeFile(): string {
  const overlay = join(second, 'overlay2')
  const found = readdirSync(overlay).map(id => join(overlay, id, 'diff/large'))
  return found.find(
    path => existsSync(path) && listDirectory(join(path, '..'), new Set(['/'])).some(line => line.startsWith('"/cap"')),
  )!
}
