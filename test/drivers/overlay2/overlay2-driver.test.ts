/** Layers of driver overlay2 as directories: what is made, in which order, and what is taken away. No layer is unpacked here. */
import assert from 'node:assert/strict'
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Io } from '../../../src/disk/io.js'
import { openRoot } from '../../../src/disk/open-root.js'
import type { Root } from '../../../src/disk/root.js'
import { linkOf } from '../../../src/drivers/overlay2/directory.js'
import { Overlay2Driver } from '../../../src/drivers/overlay2/overlay2-driver.js'
import { PhylloError } from '../../../src/errors.js'
import { LayerStore } from '../../../src/layers/layer-store.js'
import { chainIdsOf } from '../../../src/oci/chain-id.js'
import { type ChainId, type DiffId, hexOf } from '../../../src/oci/digest.js'
import { diffIdOf } from '../../build/layers.js'
import { newRoot, watchedIo } from '../../build/stores.js'

const [a, b, c] = [diffIdOf('a'), diffIdOf('b'), diffIdOf('c')]
const nothing: readonly DiffId[][] = []

async function newStore(t: TestContext, io?: Io, path = newRoot(t)) {
  const root = await openRoot(path, { driver: 'overlay2', durability: 'none', ...(io && { io }) })
  t.after(() => root.close())
  return { root, layers: new LayerStore(root, new Overlay2Driver(root)) }
}

/** What a job leaves in the stage. */
async function addStack(root: Root, layers: LayerStore, stack: readonly DiffId[]) {
  await using lease = await layers.lease({ stacks: [stack] })
  for (const { diffId, parent, record } of await layers.look(stack)) {
    if (record !== undefined) continue
    await using stage = await root.stage()
    const staged = stage.file('layer')
    mkdirSync(join(staged, 'diff'), { recursive: true, mode: 0o700 })
    writeFileSync(join(staged, 'diff/name'), diffId)
    writeFileSync(join(staged, 'tar-split.json.gz'), 'tar-split')
    await layers.publish({ diffId, parent, sizeBytes: 7, staged, lease })
  }
  return await layers.settle(stack)
}

const collect = (layers: LayerStore, stacks: readonly (readonly DiffId[])[]) =>
  layers.collect({ roots: async () => ({ stacks }) })
const directories = (root: Root) => readdirSync(root.paths.content).filter(name => name !== 'l')
const links = (root: Root) => readdirSync(root.paths.links)
const intents = (root: Root) => readdirSync(root.paths.intents)
const mode = (path: string) => statSync(path).mode & 0o7777

test('a link is 26 characters of base32: 17 bytes whose coding is known', () => {
  // By coreutils: printf '\x00\x01…\x10' | basenc --base32
  assert.equal(linkOf(Uint8Array.from({ length: 17 }, (_, n) => n)), 'AAAQEAYEAUDAOCAJBIFQYDIOB4')
  assert.equal(linkOf(new Uint8Array(17).fill(255)), '7'.repeat(26))
})

test('three layers: directories, links, lower, committed and modes as dockerd makes them', async t => {
  const { root, layers } = await newStore(t)
  const records = await addStack(root, layers, [a, b, c])
  const at = (index: number, ...names: string[]) => join(root.paths.layerContent(records[index]!.cacheId), ...names)
  const link = records.map((_, index) => readFileSync(at(index, 'link'), 'utf8'))
  assert.deepEqual(readdirSync(at(0)).sort(), ['committed', 'diff', 'link'])
  assert.deepEqual(readdirSync(at(1)).sort(), ['committed', 'diff', 'link', 'lower', 'work'])
  assert.deepEqual(readdirSync(at(2)).sort(), ['diff', 'link', 'lower', 'work'])
  assert.equal(readFileSync(at(1, 'lower'), 'utf8'), `l/${link[0]}`)
  assert.equal(readFileSync(at(2, 'lower'), 'utf8'), `l/${link[1]}:l/${link[0]}`)
  assert.deepEqual(
    [mode(at(2)), mode(at(2, 'diff')), mode(at(2, 'work')), mode(at(2, 'link'))],
    [0o710, 0o755, 0o700, 0o644],
  )
  assert.deepEqual([mode(at(0, 'committed')), mode(at(1, 'lower'))], [0o600, 0o644])
  for (const [index, { cacheId, chainId }] of records.entries()) {
    assert.match(cacheId, /^[0-9a-f]{64}$/)
    assert.equal(readlinkSync(root.paths.link(link[index]!)), `../${cacheId}/diff`)
    assert.equal(readFileSync(root.paths.tarSplit(chainId), 'utf8'), 'tar-split')
    assert.equal(mode(root.paths.tarSplit(chainId)), 0o644)
  }
  assert.deepEqual(intents(root), [])
})

test('equal diffIds under two parents are two directories, and each has to be made', async t => {
  const { root, layers } = await newStore(t)
  await addStack(root, layers, [a, c])
  const looks = await layers.look([b, c])
  assert.deepEqual(
    looks.map(({ record, sizeBytes }) => [record, sizeBytes]),
    [
      [undefined, undefined],
      [undefined, undefined],
    ],
  )
  assert.notEqual(looks[1]?.content, (await layers.look([a, c]))[1]?.content)
  await addStack(root, layers, [b, c])
  assert.equal(directories(root).length, 4)
})

test('who is second with a layer takes its own directory away', async t => {
  const { root, layers } = await newStore(t)
  const [record] = await addStack(root, layers, [a])
  await using lease = await layers.lease({ stacks: [[a]] })
  await using stage = await root.stage()
  const staged = stage.file('layer')
  mkdirSync(join(staged, 'diff'), { recursive: true })
  writeFileSync(join(staged, 'tar-split.json.gz'), '')
  assert.deepEqual(await layers.publish({ diffId: a, parent: undefined, sizeBytes: 7, staged, lease }), record)
  assert.deepEqual([directories(root), links(root).length, intents(root)], [[record!.cacheId], 1, []])
})

test('collection takes directories, links and records, and nothing else', async t => {
  const { root, layers } = await newStore(t)
  await addStack(root, layers, [a, b, c])
  const [kept] = await addStack(root, layers, [a])
  const dry = await layers.collect({ roots: async () => ({ stacks: [[a]] }), dryRun: true })
  assert.equal(directories(root).length, 3)
  const { layers: gone, contents, freedBytes } = await collect(layers, [[a]])
  assert.deepEqual(
    gone.map(({ chainId }) => chainId),
    chainIdsOf([a, b, c]).slice(1).reverse(),
  )
  assert.deepEqual([contents.length, freedBytes], [2, 14])
  assert.deepEqual([dry.contents.length, dry.freedBytes], [2, 14])
  assert.deepEqual([directories(root), links(root).length, intents(root)], [[kept!.cacheId], 1, []])
  assert.deepEqual(readdirSync(root.paths.layers), [hexOf(chainIdsOf([a])[0]!)])
  await collect(layers, [])
  assert.deepEqual([directories(root), links(root), readdirSync(root.paths.layers)], [[], [], []])
})

test('what others have put there is told and not touched, and what it stands on stays', async t => {
  const { root, layers } = await newStore(t)
  const [base, top] = await addStack(root, layers, [a, b])
  await addStack(root, layers, [c])
  const foreign = join(root.paths.content, 'of-buildkit')
  mkdirSync(join(foreign, 'diff'), { recursive: true })
  const link = readFileSync(join(root.paths.layerContent(top!.cacheId), 'link'), 'utf8')
  writeFileSync(join(foreign, 'lower'), `l/${link}`)
  writeFileSync(join(root.paths.content, 'a file'), '')
  mkdirSync(join(root.paths.content, 'killed-dockerd'))
  const { layers: gone, foreign: told } = await collect(layers, [])
  assert.deepEqual(
    gone.map(({ chainId }) => chainId),
    chainIdsOf([c]),
  )
  assert.deepEqual(told, ['a file', 'killed-dockerd', 'of-buildkit'])
  assert.deepEqual(directories(root).sort(), [base!.cacheId, top!.cacheId, ...told].sort())
  rmSync(foreign, { recursive: true })
  await collect(layers, [])
  assert.deepEqual(directories(root).sort(), ['a file', 'killed-dockerd'])
})

test('a link that means another directory stays', async t => {
  const { root, layers } = await newStore(t)
  const [record] = await addStack(root, layers, [a])
  const path = root.paths.link(links(root)[0]!)
  rmSync(path)
  symlinkSync('../another/diff', path)
  await collect(layers, [])
  assert.equal(existsSync(root.paths.layerContent(record!.cacheId)), false)
  assert.equal(readlinkSync(path), '../another/diff')
})

/** A process that dies before its nth call, and whether it did. Its locks go with it, and the rest stays as it is. */
async function dieAt(
  path: string,
  calls: number,
  work: (root: Root, layers: LayerStore) => Promise<void>,
): Promise<boolean> {
  let left = Number.POSITIVE_INFINITY
  const open = new Set<number>()
  const watched = watchedIo(({ operation, path: at }) => {
    if (left-- <= 0) throw new PhylloError('STORE_IO', `killed before ${operation} ${at}`, { errno: 'KILLED' })
  })
  const opened = async (fd: Promise<number>) => {
    open.add(await fd)
    return fd
  }
  const io: Io = {
    ...watched,
    openLock: file => opened(watched.openLock(file)),
    openExisting: file => opened(watched.openExisting(file)),
    close: async fd => {
      await watched.close(fd)
      open.delete(fd)
    },
  }
  const root = await openRoot(path, { driver: 'overlay2', durability: 'none', io })
  await root.sweep()
  left = calls
  try {
    await work(root, new LayerStore(root, new Overlay2Driver(root)))
    return false
  } catch (error) {
    // Whatever was wanted after the death failed as well.
    if (left >= 0) throw error
    return true
  } finally {
    for (const fd of open) closeSync(fd)
  }
}

test('killed before any call of adding and collecting: the next collection leaves nothing behind', async t => {
  let deaths = 0
  for (const work of [
    (root: Root, layers: LayerStore) => addStack(root, layers, [c, a]).then(() => undefined),
    (_: Root, layers: LayerStore) => collect(layers, []).then(() => undefined),
  ])
    for (let calls = 0, died = true; died; calls++) {
      const path = newRoot(t)
      const { root, layers } = await newStore(t, undefined, path)
      await addStack(root, layers, [c])
      await root.close()
      died = await dieAt(path, calls, work)
      if (died) deaths++
      await checkRecovery(t, path)
    }
  assert.ok(deaths > 50, `${deaths} deaths`)
})

async function checkRecovery(t: TestContext, path: string): Promise<void> {
  const { root, layers } = await newStore(t, undefined, path)
  for (const record of await layers.list()) assert.ok(await layers.get(record.chainId))
  await collect(layers, [])
  const left = [directories(root), links(root), intents(root), readdirSync(root.paths.layers)]
  assert.deepEqual(left, [[], [], [], []])
  await root.close()
}

test('nothing is collected of what somebody who lives is adding', async t => {
  const { root, layers } = await newStore(t)
  await root.intend({ directory: 'half-made' })
  mkdirSync(join(root.paths.content, 'half-made/diff'), { recursive: true })
  const other = await newStore(t, undefined, root.paths.root)
  await collect(other.layers, [])
  await collect(layers, nothing)
  assert.deepEqual(directories(root), ['half-made'])
  await root.close()
  await collect(other.layers, [])
  assert.deepEqual(directories(root), [])
})

test('a link goes with its directory also where a power cut has emptied the file that names it', async t => {
  const { root, layers } = await newStore(t)
  const [kept] = await addStack(root, layers, [a])
  await root.intend({ directory: 'half-made' })
  mkdirSync(join(root.paths.content, 'half-made/diff'), { recursive: true })
  writeFileSync(join(root.paths.content, 'half-made/link'), '')
  symlinkSync('../half-made/diff', root.paths.link('A'.repeat(26)))
  await root.close()
  const other = await newStore(t, undefined, root.paths.root)
  await collect(other.layers, [[a]])
  const link = readFileSync(join(other.root.paths.layerContent(kept!.cacheId), 'link'), 'utf8')
  assert.deepEqual([directories(other.root), links(other.root)], [[kept!.cacheId], [link]])
})

/** The record of a layer, damaged as a power cut may leave it. */
const damage = (root: Root, chainId: ChainId) => writeFileSync(join(root.paths.layer(chainId), 'size'), '')

test('a damaged record takes its directory along, and nobody else’s', async t => {
  const { root, layers } = await newStore(t)
  const [one, two] = await addStack(root, layers, [a, b])
  const [kept] = await addStack(root, layers, [c])
  for (const record of [one!, two!]) damage(root, record.chainId)
  assert.deepEqual((await layers.collect({ roots: async () => ({ stacks: [[c]] }), dryRun: true })).contents.length, 2)
  assert.deepEqual(directories(root).length, 3)
  const { contents, foreign } = await collect(layers, [[c]])
  assert.deepEqual(
    contents.map(({ cacheId }) => cacheId),
    [one!.cacheId, two!.cacheId].sort(),
  )
  assert.deepEqual([foreign, directories(root), links(root).length, intents(root)], [[], [kept!.cacheId], 1, []])
})

test('a damaged record whose cache-id is that of something else takes nothing along', async t => {
  const { root, layers } = await newStore(t)
  const [one] = await addStack(root, layers, [a])
  const [kept] = await addStack(root, layers, [b])
  const mountId = 'd'.repeat(64)
  mkdirSync(root.paths.layerContent(mountId))
  mkdirSync(root.paths.mount('e'.repeat(64)))
  writeFileSync(join(root.paths.mount('e'.repeat(64)), 'mount-id'), mountId)
  damage(root, one!.chainId)
  for (const other of [kept!.cacheId, mountId, '../../image']) {
    writeFileSync(join(root.paths.layer(one!.chainId), 'cache-id'), other)
    const { contents } = await layers.collect({ roots: async () => ({ stacks: [[b]] }), dryRun: true })
    assert.deepEqual(contents, [], other)
  }
  writeFileSync(join(root.paths.layer(one!.chainId), 'cache-id'), mountId)
  await collect(layers, [[b]])
  assert.deepEqual(directories(root), [one!.cacheId, kept!.cacheId, mountId].sort())
})

test('what a damaged layer was goes after its repair, unless another layer stands on it', async t => {
  const path = newRoot(t)
  const { root, layers } = await newStore(t, undefined, path)
  const [alone] = await addStack(root, layers, [a])
  const [below] = await addStack(root, layers, [b, c])
  for (const record of [alone!, below!]) damage(root, record.chainId)
  await addStack(root, layers, [a])
  await addStack(root, layers, [b, c])
  assert.equal(directories(root).length, 5)
  await root.close()
  const again = await newStore(t, undefined, path)
  const { contents, foreign } = await collect(again.layers, [[a], [b, c]])
  assert.deepEqual(
    contents.map(({ cacheId }) => cacheId),
    [alone!.cacheId],
  )
  assert.deepEqual(foreign, [below!.cacheId])
})

test('layers that a builder keeps in its cache stay, with what is below them, for as long as it has one', async t => {
  const { root, layers } = await newStore(t)
  const [below, its] = await addStack(root, layers, [a, b])
  const id = '7q5jnf1f234zb7759ogyc3ojs'
  renameSync(root.paths.layerContent(its!.cacheId), root.paths.layerContent(id))
  writeFileSync(join(root.paths.layer(its!.chainId), 'cache-id'), id)
  mkdirSync(join(root.paths.root, 'buildkit'))
  writeFileSync(root.paths.builderSnapshots(), '')
  assert.deepEqual((await collect(layers, nothing)).layers, [])
  assert.deepEqual(directories(root), [id, below!.cacheId].sort())
  rmSync(root.paths.builderSnapshots())
  assert.equal((await collect(layers, nothing)).layers.length, 2)
  assert.deepEqual(directories(root), [])
})
