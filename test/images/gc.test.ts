/** gc: what it tells is what goes, to the byte, and nothing that is in use goes. du(1) is the judge of bytes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { constants, getPriority } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openRoot } from '../../src/disk/open-root.js'
import { type Garbage, Store } from '../../src/index.js'
import { hexOf } from '../../src/oci/digest.js'
import { appArchive } from '../build/app-archive.js'
import { ended, runPhyllo, startPhyllo } from '../build/cli.js'
import { diffIdOf } from '../build/layers.js'
import { listing, newRoot, startStoreProcess } from '../build/stores.js'

const du = (path: string) => Number(execFileSync('du', ['-s', '--block-size=1', path]).toString().split('\t')[0])
const kinds = (garbage: readonly Garbage[]) => [...new Set(garbage.map(({ kind }) => kind))].sort()

async function loaded(t: TestContext): Promise<string> {
  const root = newRoot(t)
  const archive = `${root}.tar`
  writeFileSync(archive, appArchive())
  await using store = await Store.open(root, { durability: 'none', workers: 0 })
  await store.load(archive)
  return root
}

/** Forgets every image, as if somebody had died while removing them. */
function forgetImages(root: string): void {
  rmSync(join(root, 'image/packed/repositories.json'))
  for (const name of readdirSync(join(root, 'image/packed/imagedb/content/sha256')))
    rmSync(join(root, 'image/packed/imagedb/content/sha256', name))
}

/** One thing of each kind that the dead leave; answers with their names by kind. */
function leave(root: string): Record<string, string> {
  const own = (path: string) => join(root, 'phyllo', path)
  mkdirSync(own('stages/dead.1'))
  writeFileSync(own('stages/dead.1/half a layer'), Buffer.alloc(100_000, 1))
  writeFileSync(own('owners/dead'), '')
  writeFileSync(own('owners/dead.2'), `diff ${diffIdOf('x')}\n`)
  mkdirSync(own('trash/old.1/deep'), { recursive: true })
  // The same file as in the stage: the disk gets it back once.
  linkSync(own('stages/dead.1/half a layer'), own('trash/old.1/deep/half a layer'))
  const image = hexOf(diffIdOf('an image'))
  mkdirSync(join(root, 'image/packed/imagedb/metadata/sha256', image))
  writeFileSync(join(root, 'image/packed/imagedb/metadata/sha256', image, 'parent'), diffIdOf('y'))
  const box = hexOf(diffIdOf('a container'))
  mkdirSync(join(root, 'packed/containers', box), { recursive: true })
  writeFileSync(join(root, 'packed/containers', box, 'journal'), 'x')
  const blob = hexOf(diffIdOf('a blob'))
  mkdirSync(join(root, 'partial/sha256'), { recursive: true })
  writeFileSync(join(root, 'partial/sha256', blob), 'half of it')
  utimesSync(join(root, 'partial/sha256', blob), 0, Date.now() / 1000 - 8 * 86_400)
  return {
    stage: 'dead.1',
    lease: 'dead.2',
    trash: 'old.1',
    metadata: `sha256:${image}`,
    container: box,
    partial: blob,
  }
}

test('a dry run tells what goes and changes nothing; the run frees exactly that, as du counts it', async t => {
  const root = await loaded(t)
  forgetImages(root)
  const left = leave(root)
  await using store = await Store.open(root, { durability: 'none', tidy: false })
  const [before, bytes] = [listing(root), du(root)]
  const said = await store.gc({ dryRun: true })
  assert.deepEqual(listing(root), before)
  assert.deepEqual(kinds(said.garbage), [...Object.keys(left), 'content', 'layer'].sort())
  for (const [kind, name] of Object.entries(left))
    assert.deepEqual(
      said.garbage.filter(one => one.kind === kind).map(one => one.name),
      [name],
    )
  const done = await store.gc()
  assert.deepEqual(done, said)
  assert.equal(bytes - du(root), done.freedBytes)
  assert.ok(done.freedBytes > 100_000 && done.freedBytes < 200_000, `${done.freedBytes}`)
  assert.deepEqual((await store.gc()).garbage, [])
  for (const directory of ['phyllo/stages', 'phyllo/trash', 'phyllo/limbo', 'image/packed/layerdb/sha256'])
    assert.deepEqual(readdirSync(join(root, directory)), [], directory)
})

test('what a name in use elsewhere keeps on the disk is not said to be freed', async t => {
  const root = await loaded(t)
  await using store = await Store.open(root, { durability: 'none', tidy: false })
  mkdirSync(join(root, 'phyllo/trash/old.1'))
  const [content] = readdirSync(join(root, 'packed')).filter(name => name.endsWith('.lz4'))
  linkSync(join(root, 'packed', content!), join(root, 'phyllo/trash/old.1/x'))
  const bytes = du(root)
  assert.equal((await store.gc()).freedBytes, bytes - du(root))
  assert.ok(existsSync(join(root, 'packed', content!)))
})

test('images stay without a name, containers after their image, and what living processes use', async t => {
  const root = await loaded(t)
  await using store = await Store.open(root, { durability: 'none' })
  await (await store.create('app:v1', { name: 'box' })).close()
  const [image] = await store.images()
  await store.remove('app:v1', { force: true })
  assert.equal(await store.image(image!.id), undefined)
  const other = await startStoreProcess(t, root)
  await other.ask('stage')
  await other.ask('lease', diffIdOf('x'))
  assert.deepEqual((await store.gc()).garbage, [])
  {
    await using box = await store.container('box')
    assert.ok(box.existsSync('/etc/os-release'))
  }
  await other.kill()
  assert.deepEqual(kinds((await store.gc()).garbage), ['lease', 'stage'])
  await store.removeContainer('box')
  assert.deepEqual(kinds((await store.gc()).garbage), ['content', 'layer'])
  writeFileSync(join(root, 'image/packed/repositories.json'), '{"Repositories":{}}')
})

test('the layers below a container that is half made go with it', async t => {
  const root = await loaded(t)
  const chains = readdirSync(join(root, 'image/packed/layerdb/sha256'))
  forgetImages(root)
  const mount = join(root, 'image/packed/layerdb/mounts', hexOf(diffIdOf('half made')))
  mkdirSync(mount)
  await using store = await Store.open(root, { durability: 'none', tidy: false })
  const tops = (await store.gc({ dryRun: true })).garbage.filter(({ kind }) => kind === 'layer')
  writeFileSync(join(mount, 'parent'), tops[0]!.name)
  const said = await store.gc({ dryRun: true })
  assert.equal(said.garbage.filter(({ kind }) => kind === 'layer').length, chains.length)
  assert.deepEqual(await store.gc(), said)
})

test('metadata of an image that somebody is about to add stays; a download goes after a week, unless it is held', async t => {
  const root = await loaded(t)
  const left = leave(root)
  const partial = join(root, 'partial/sha256', left.partial!)
  const open = await openRoot(root, { durability: 'none' })
  t.after(() => open.close())
  await open.lease({ chains: new Set(), diffIds: new Set(), images: new Set([left.metadata as never]) })
  const release = await open.tryHold(partial)
  await using store = await Store.open(root, { durability: 'none' })
  const first = await store.gc()
  assert.ok(!kinds(first.garbage).some(kind => kind === 'metadata' || kind === 'partial'), kinds(first.garbage).join())
  await release?.()
  utimesSync(partial, 0, Date.now() / 1000 - 6 * 86_400)
  assert.deepEqual((await store.gc()).garbage, [])
  utimesSync(partial, 0, Date.now() / 1000 - 8 * 86_400)
  assert.deepEqual(kinds((await store.gc()).garbage), ['partial'])
})

test('gc of a store that is open for reading only is refused', async t => {
  const root = await loaded(t)
  await using store = await Store.open(root, { readOnly: true })
  await assert.rejects(async () => store.gc({ dryRun: true }), { code: 'STORE_READ_ONLY' })
})

test('phyllo gc: a line for each thing, and the sum; opening the store has freed nothing before', async t => {
  const root = await loaded(t)
  leave(root)
  const bytes = du(root)
  const said = await runPhyllo(['gc', '--dry-run'], { root })
  const done = await runPhyllo(['gc', '--format', 'json'], { root })
  const { freedBytes, garbage } = JSON.parse(done.stdout)
  assert.equal(bytes - du(root), freedBytes)
  const lines = garbage.map(({ kind, bytes, name }: Garbage) => `${kind}\t${bytes}\t${name}`)
  assert.deepEqual(said.stdout.split('\n').slice(0, -2), lines)
  assert.match(said.stdout, new RegExp(`\nWould free .*B \\(${freedBytes} bytes\\)\n$`))
  assert.equal((await runPhyllo(['gc'], { root })).stdout, 'Freed 0B (0 bytes)\n')
})

test('phyllo gc lets everybody else go first; other commands do not', async t => {
  const root = await loaded(t)
  const gaveWay: string[] = []
  for (const words of [['gc', '--dry-run'], ['tag', 'app:v1', 'app:v2'], ['gc']])
    await runPhyllo(words, { root, giveWay: () => gaveWay.push(words.join(' ')) })
  assert.deepEqual(gaveWay, ['gc --dry-run', 'gc'])
})

test('a process of phyllo gc has a low priority', async t => {
  const root = await loaded(t)
  const held = await openRoot(root, { durability: 'none' })
  t.after(() => held.close())
  const child = startPhyllo(['gc'], { root })
  const low = Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL)
  let seen = Number.NaN
  // It cannot end before the lock is free.
  await held.withLock(async () => {
    for (let tries = 0; tries < 500 && seen !== low; tries++) {
      await sleep(10)
      seen = getPriority(child.pid)
    }
  })
  assert.equal((await ended(child)).status, 0)
  assert.equal(seen, low)
})
