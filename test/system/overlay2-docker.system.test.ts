/** A root that we wrote, under a real dockerd, beside one that it wrote itself from the same archive; and the other way round. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Store } from '../../src/index.js'
import { metadataOf, remains } from '../build/docker-root.js'
import { DockerTrees } from '../build/docker-trees.js'
import { type Dockerd, startDockerd } from '../build/dockerd.js'
import { listView, untimedPaths } from '../build/full-listing.js'
import { archiveOf, digestOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { listing } from '../build/stores.js'
import { char, dir, fifo, file, hardlink, symlink, tar } from '../build/tar.js'

// Short, because the daemons' sockets are in it, and paths of many layers have to fit into one page.
const scratch = mkdtempSync('/tmp/po-')
const path = (...names: string[]) => join(scratch, ...names)

const base = tar([
  dir('etc/', { mode: 0o750, uid: 3, gid: 4 }),
  file('etc/os-release', 'ID=test\n', { mtime: 1_600_000_000 }),
  hardlink('etc/hard', 'etc/os-release'),
  symlink('l', 'etc'),
  char('null', 1, 3),
  fifo('pipe'),
  file('suid', 'x', { mode: 0o4755, uid: 7 }),
  file('ü', 'u'),
])
const upper = tar([
  dir('srv/'),
  file('srv/app', 'x'.repeat(300_000)),
  file('etc/.wh.hard'),
  file('l/through', 'a link'),
])
const opaque = tar([dir('etc/'), file('etc/.wh..wh..opq'), file('etc/new', 'n')])
const deep = Array.from({ length: 125 }, (_, n) => layerTar({ [`f${n}`]: `${n}` }))
const images = {
  two: { layers: [base, upper], tags: ['two:v1', 'localhost:5000/team/two:v2', 'two:latest'] },
  opaque: { layers: [base, upper, opaque], tags: ['opaque:1'] },
  empty: { layers: [base, Buffer.alloc(1024)], tags: ['empty:1'] },
  // The same layer under two parents.
  twice: { layers: [base, upper, base], tags: ['twice:1'] },
  other: { layers: [upper, base], tags: ['other:1'] },
  deep: { layers: deep, tags: ['deep:1'] },
} satisfies Record<string, MadeImage>
const names = Object.keys(images) as (keyof typeof images)[]
const tags = names.flatMap(name => images[name].tags)

const ours = path('a')
let theirs: Dockerd
let onOurs: Dockerd

before(async () => {
  writeFileSync(path('all.tar'), archiveOf(legacyArchive(Object.values(images))))
  await using store = await Store.open(ours, { driver: 'overlay2', workers: 2 })
  await store.load(path('all.tar'))
  theirs = await startDockerd(path('t'))
  await theirs.docker('load', '-i', path('all.tar'))
})
after(async () => {
  await onOurs?.stop()
  await theirs.stop()
  rmSync(scratch, { recursive: true, force: true })
})

test('every metadata file is the one that dockerd writes', () => {
  const [mine, docker] = [metadataOf(ours), metadataOf(theirs.root)]
  assert.ok(mine.length > 100)
  const only = (lines: readonly string[], others: readonly string[]) => lines.filter(line => !others.includes(line))
  assert.deepEqual({ mine: only(mine, docker), docker: only(docker, mine) }, { mine: [], docker: [] })
})

test('nothing of the work is left: no stage, no intent, no lease', () => {
  for (const place of ['stages', 'limbo', 'trash', 'intents', 'owners'])
    assert.deepEqual(readdirSync(join(ours, 'phyllo', place)), [], place)
})

test('dockerd on our root says of every image what it says of its own load', async () => {
  onOurs = await startDockerd(path('o'), ours)
  const said = async (dockerd: Dockerd) => {
    const lines: unknown[] = [(await dockerd.docker('images', '--no-trunc')).split('\n').sort()]
    for (const tag of tags) {
      lines.push(await dockerd.docker('history', '--no-trunc', '-H=false', tag))
      const [{ GraphDriver: driver, ...inspected }] = JSON.parse(await dockerd.docker('image', 'inspect', tag))
      lines.push(inspected, Object.keys(driver.Data).sort(), driver.Data.LowerDir?.split(':').length)
    }
    return lines
  }
  assert.deepEqual(await said(onOurs), await said(theirs))
})

test('dockerd saves our layers byte for byte, and shows our trees', async () => {
  await onOurs.docker('save', '-o', path('saved.tar'), ...tags)
  await using other = await Store.open(path('packed'), { durability: 'none', workers: 1 })
  const loaded = await other.load(path('saved.tar'))
  assert.deepEqual(loaded.map(({ id }) => id).sort(), names.map(name => imageIdOf(images[name])).sort())
  const trees = new DockerTrees(onOurs, path('m'))
  await using store = await Store.open(ours, { readOnly: true })
  for (const tag of ['two:v1', 'opaque:1', 'twice:1', 'other:1']) {
    const [mine, packed] = [await store.view(tag), await other.view(tag)]
    const untimed = untimedPaths(packed)
    const kernel = await trees.listImage(tag, untimed)
    assert.deepEqual(listView(mine, untimed), kernel, tag)
    assert.deepEqual(listView(packed, untimed), kernel, tag)
    await Promise.all([mine.close(), packed.close()])
  }
})

test('beside a dockerd: reading works and writes nothing, writing is refused', async () => {
  const before = listing(join(ours, 'image'))
  await using store = await Store.open(ours, { readOnly: true })
  assert.equal((await store.images()).length, names.length)
  await store.save('two:v1', path('beside.tar'))
  assert.deepEqual(listing(join(ours, 'image')), before)
  await assert.rejects(Store.open(ours), { code: 'STORE_BUSY', path: ours, message: /dockerd is using it/ })
  await assert.rejects(store.tag('two:v1', 'x:1'), { code: 'STORE_READ_ONLY' })
})

test('what we save is what was loaded', async () => {
  await using store = await Store.open(ours, { readOnly: true })
  for (const format of ['docker-archive', 'oci-archive'] as const) {
    await store.save(tags, path(`ours.${format}`), { format })
    await using other = await Store.open(path(`again-${format}`), { durability: 'none', workers: 1 })
    const ids = (await other.load(path(`ours.${format}`))).map(({ id }) => id)
    assert.deepEqual([...new Set(ids)].sort(), names.map(name => imageIdOf(images[name])).sort())
  }
})

test('what dockerd commits on ours we list, read and save; and we load on top of it', async () => {
  const container = (await onOurs.docker('create', 'two:v1', 'nothing')).trim()
  mkdirSync(path('copied'))
  writeFileSync(path('copied/file'), 'of a container')
  await onOurs.docker('cp', path('copied'), `${container}:/srv/copied`)
  const id = (await onOurs.docker('commit', container, 'made:1')).trim()
  await onOurs.stop()
  await using store = await Store.open(ours)
  const image = await store.image('made:1')
  assert.equal(image?.id, id)
  const view = await store.view('made:1')
  assert.equal(view.readFileSync('/srv/copied/file', 'utf8'), 'of a container')
  assert.equal(view.readFileSync('/etc/os-release', 'utf8'), 'ID=test\n')
  await store.save('made:1', path('made.tar'))
  await using other = await Store.open(path('made'), { durability: 'none', workers: 1 })
  assert.equal((await other.load(path('made.tar')))[0]?.id, id)
  const more = { layers: [base, upper, layerTar({ more: 'm' })], tags: ['more:1'] }
  writeFileSync(path('more.tar'), archiveOf(legacyArchive([more])))
  assert.equal((await store.load(path('more.tar')))[0]?.id, imageIdOf(more))
  await view.close()
})

test('docker run of what we wrote, and docker rmi of everything leaves the root empty', async () => {
  onOurs = await startDockerd(path('p'), ours)
  assert.match(await onOurs.docker('images'), /^more +1 /m)
  const containers = (await onOurs.docker('ps', '-aq')).trim().split('\n')
  await onOurs.docker('rm', ...containers)
  const ids = (await onOurs.docker('images', '-aq', '--no-trunc')).trim().split('\n')
  await onOurs.docker('rmi', '-f', ...new Set(ids))
  await onOurs.stop()
  assert.deepEqual(remains(ours), [])
})

test('a root that dockerd wrote: all equal, and it goes on with what we add', async () => {
  await theirs.stop()
  const { root } = theirs
  {
    await using store = await Store.open(root, { workers: 1 })
    assert.equal(store.driver, 'overlay2')
    for (const name of names) {
      const image = await store.image(images[name].tags[0]!)
      assert.equal(image?.id, imageIdOf(images[name]))
      assert.deepEqual(
        image.layers.map(({ diffId }) => diffId),
        images[name].layers.map(digestOf),
      )
    }
    await store.save(tags, path('theirs.tar'))
    execFileSync('cmp', [path('theirs.tar'), path('ours.docker-archive')])
    await store.load(path('more.tar'))
    await store.tag('more:1', 'again:2')
  }
  theirs = await startDockerd(path('u'), root)
  assert.match(await theirs.docker('images', 'again'), /^again +2 /m)
  const tree = await theirs.docker('create', 'again:2', 'nothing')
  assert.match(await theirs.docker('export', tree.trim()), /more/)
})

test('126 layers are refused before any work, naming the count', async () => {
  const image = { layers: Array.from({ length: 126 }, (_, n) => layerTar({ [`f${n}`]: `${n}` })) }
  writeFileSync(path('126.tar'), archiveOf(legacyArchive([image])))
  await using store = await Store.open(path('126'), { driver: 'overlay2', workers: 1 })
  const load = store.load(path('126.tar'))
  await assert.rejects(Promise.resolve(load), { code: 'LIMIT_EXCEEDED', limit: 'layers', max: 125, seen: 126 })
  assert.deepEqual(readdirSync(path('126', 'overlay2')), ['l'])
})
