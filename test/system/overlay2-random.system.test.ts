/** A store of driver overlay2 is Docker's own: a real dockerd works on what we wrote, and we on what it wrote. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Store } from '../../src/index.js'
import { type ArchivedImage, archivedImages } from '../build/archived-images.js'
import { DockerTrees } from '../build/docker-trees.js'
import { type Dockerd, startDockerd } from '../build/dockerd.js'
import { listView, untimedPaths } from '../build/full-listing.js'
import { archiveOf, legacyArchive } from '../build/image.js'
import { oddImages } from '../build/odd-images.js'
import { Random } from '../build/random-tar.js'
import { assertEmptyRoot, differencesOf, rootFacts } from '../build/root-facts.js'
import { scratchStore } from '../build/store.js'

/** A real image instead, in the campaign. */
const given = process.env.PHYLLO_ARCHIVE
// Short, because the daemon's socket is in it, and paths of all layers must fit into one page of mount options.
const scratch = mkdtempSync(given === undefined ? '/tmp/po-' : '/dev/shm/po-')
const [ours, theirs] = [join(scratch, 'o'), join(scratch, 't')]
const archive = given ?? join(scratch, 'images.tar')
const seed = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** More in the campaign. */
const count = Number(process.env.PHYLLO_IMAGES ?? 8)
let images: readonly ArchivedImage[]
let tagged: string

before(() => {
  if (given === undefined) writeFileSync(archive, archiveOf(legacyArchive(oddImages(new Random(seed), count))))
  images = archivedImages(archive)
  tagged = images.find(({ id, name }) => name !== id)!.name
})
after(() => rmSync(scratch, { recursive: true, force: true }))

/** What the client prints of every image, but for where layers are, and when names were given. */
async function shown({ docker }: Dockerd): Promise<string[]> {
  const lines = (await docker('images', '--no-trunc', '--digests', '--all')).split('\n').sort()
  for (const image of images) {
    const [inspected] = JSON.parse(await docker('inspect', image.name)) as [Record<string, unknown>]
    lines.push(JSON.stringify({ ...inspected, GraphDriver: undefined, Metadata: undefined }))
    lines.push(await docker('history', '--no-trunc', '--human=false', image.name))
  }
  return lines
}

/** `untimed`: directories that no entry speaks of, which a store of directories does not know any more. */
async function listed(
  store: Store,
  image: string,
  known?: ReadonlySet<string>,
): Promise<{ lines: string[]; untimed: ReadonlySet<string> }> {
  await using view = await store.view(image)
  const untimed = known ?? untimedPaths(view)
  return { lines: listView(view, untimed), untimed }
}

async function assertSameTree(store: Store, packed: Store, image: string): Promise<void> {
  const { lines, untimed } = await listed(packed, image)
  assert.deepEqual((await listed(store, image, untimed)).lines, lines, `${image} PHYLLO_SEED=${seed}`)
}

test('what we load is what docker loads: every file of the root, and every layer as it stands on the disk', async t => {
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  {
    await using store = await Store.open(ours, { driver: 'overlay2' })
    const loaded = await store.load(archive)
    assert.deepEqual(
      loaded.map(({ id }) => id),
      images.map(({ id }) => id),
    )
    assert.equal(store.driver, 'overlay2')
  }
  {
    await using dockerd = await startDockerd(join(scratch, 'd'), theirs)
    await dockerd.docker('load', '-i', archive)
  }
  assert.deepEqual(differencesOf(rootFacts(ours), rootFacts(theirs)), [], `PHYLLO_SEED=${seed}`)
})

test('dockerd on our root lists, shows, saves, commits on and removes what we wrote', async t => {
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  let expected: string[]
  {
    await using dockerd = await startDockerd(join(scratch, 'd'), theirs)
    expected = await shown(dockerd)
  }
  await using packed = await scratchStore(t)
  const saved = join(scratch, 'saved.tar')
  {
    await using dockerd = await startDockerd(join(scratch, 'd'), ours)
    assert.deepEqual(await shown(dockerd), expected)
    // Every diffId is verified when it is saved, and when it is loaded.
    await dockerd.docker('save', '-o', saved, ...images.map(({ name }) => name))
    await packed.load(saved)
    const trees = new DockerTrees(dockerd, scratch)
    // The paths of 125 layers are more than one page of mount options.
    for (const image of images.filter(({ layers }) => layers < 40)) {
      const { lines, untimed } = await listed(packed, image.id)
      assert.deepEqual(await trees.listImage(image.name, untimed), lines, `${image.name} PHYLLO_SEED=${seed}`)
    }
    const container = (await dockerd.docker('create', '--name', 'box', tagged, 'nothing')).trim()
    await dockerd.docker('cp', archive, `${container}:/added`)
    await dockerd.docker('commit', 'box', 'committed:1')
  }
  {
    await using store = await Store.open(ours)
    const { lines } = await listed(store, 'committed:1')
    assert.ok(lines.some(line => line.startsWith('"/added" ')))
    for (const image of images) await assertSameTree(store, packed, image.id)
  }
  {
    await using dockerd = await startDockerd(join(scratch, 'd'), ours)
    await dockerd.docker('rm', 'box')
    const ids = (await dockerd.docker('images', '-qa', '--no-trunc')).split('\n').filter(Boolean)
    await dockerd.docker('rmi', '-f', ...new Set(ids))
  }
  assertEmptyRoot(ours)
})

test('what dockerd loaded, imported, built and committed, we list, read, save and commit on', async t => {
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  const context = join(scratch, 'context.tar')
  await using packed = await scratchStore(t)
  const saved = join(scratch, 'saved.tar')
  let names: string[]
  {
    await using dockerd = await startDockerd(join(scratch, 'd'), theirs)
    writeFileSync(context, dockerfile)
    await dockerd.docker('import', context, 'imported:1')
    await dockerd.docker('create', '--name', 'box', tagged, 'nothing')
    await dockerd.docker('cp', archive, 'box:/added')
    await dockerd.docker('commit', 'box', 'committed:1')
    names = [...images.map(({ name }) => name), 'imported:1', 'committed:1']
    await dockerd.docker('save', '-o', saved, ...names)
  }
  await packed.load(saved)
  await using store = await Store.open(theirs)
  for (const name of names) await assertSameTree(store, packed, name)
  const again = join(scratch, 'again.tar')
  await store.save(names, again)
  await using second = await scratchStore(t)
  await second.load(again)
  assert.deepEqual(
    (await second.images()).map(({ id }) => id).sort(),
    (await packed.images()).map(({ id }) => id).sort(),
  )
})

const dockerfile = archiveOf(legacyArchive([]))
