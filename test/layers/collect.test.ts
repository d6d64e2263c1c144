import assert from 'node:assert/strict'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openRoot } from '../../src/disk/open-root.js'
import { chainIdsOf } from '../../src/oci/chain-id.js'
import { type DiffId, hexOf } from '../../src/oci/digest.js'
import { addStack, diffIdOf, packedLayers } from '../build/layers.js'
import { listing, newRoot, startStoreProcess } from '../build/stores.js'

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(diffIdOf) as [DiffId, DiffId, DiffId, DiffId]

async function storeOf(t: TestContext, ...stacks: DiffId[][]) {
  const root = await openRoot(newRoot(t), { durability: 'none' })
  t.after(() => root.close())
  for (const stack of stacks) await addStack(root, stack)
  return { root, layers: packedLayers(root) }
}

const live = (...stacks: DiffId[][]) => ({ roots: async () => ({ stacks }) })
const contentBytes = `content of ${a}`.length

test('what images use stays; the rest goes, top first, with its content', async t => {
  const { root, layers } = await storeOf(t, [a, b, c], [a, d])
  const { layers: removed, contents, freedBytes } = await layers.collect(live([a, d]))
  assert.deepEqual(
    removed.map(({ record }) => record?.diffId),
    [c, b],
  )
  assert.deepEqual(
    contents.map(({ cacheId }) => cacheId),
    [hexOf(b), hexOf(c)].sort(),
  )
  assert.equal(freedBytes, 2 * contentBytes)
  assert.deepEqual((await layers.list()).map(({ diffId }) => diffId).sort(), [a, d].sort())
  assert.deepEqual(readdirSync(root.paths.content).length, 2)
  for (const directory of [root.paths.limbo, root.paths.trash]) assert.deepEqual(readdirSync(directory), [])
  assert.deepEqual((await layers.collect(live([a, d]))).layers, [])
})

test('content that another chain has stays', async t => {
  const { root, layers } = await storeOf(t, [a, c], [b, c])
  assert.deepEqual(
    (await layers.collect(live([b, c]))).contents.map(({ cacheId }) => cacheId),
    [hexOf(a)],
  )
  assert.ok(existsSync(root.paths.packedLayer(hexOf(c))))
})

test('a dry run says the same and changes nothing', async t => {
  const { root, layers } = await storeOf(t, [a, b, c], [a, d])
  const before = listing(root.paths.root)
  const said = await layers.collect({ ...live([a, d]), dryRun: true })
  assert.deepEqual(listing(root.paths.root), before)
  assert.deepEqual(await layers.collect(live([a, d])), said)
})

test('among: only these, and none whose child stays', async t => {
  const { layers } = await storeOf(t, [a, b], [a, c], [d])
  const [, ab] = chainIdsOf([a, b])
  const [chainA, ac] = chainIdsOf([a, c])
  const first = await layers.collect({ ...live(), among: new Set([chainA!, ab!]) })
  assert.deepEqual(
    first.layers.map(({ chainId }) => chainId),
    [ab],
  )
  assert.deepEqual(
    first.contents.map(({ cacheId }) => cacheId),
    [hexOf(b)],
  )
  const second = await layers.collect({ ...live(), among: new Set([chainA!, ac!]) })
  assert.deepEqual(
    second.layers.map(({ chainId }) => chainId),
    [ac, chainA],
  )
  assert.deepEqual(
    (await layers.list()).map(({ diffId }) => diffId),
    [d],
  )
})

test('a chain of which only the top is known keeps what it stands on', async t => {
  const { layers } = await storeOf(t, [a, b], [c])
  const chains = [chainIdsOf([a, b])[1]!]
  const { layers: removed } = await layers.collect({ roots: async () => ({ stacks: [], chains }) })
  assert.deepEqual(
    removed.map(({ record }) => record?.diffId),
    [c],
  )
})

test('a chain in use that is broken stops the collection, and nothing is gone', async t => {
  const { root, layers } = await storeOf(t, [a, b], [c])
  const [below, top] = chainIdsOf([a, b])
  rmSync(root.paths.layer(below!), { recursive: true })
  const before = listing(join(root.paths.root, 'image'))
  await assert.rejects(layers.collect({ roots: async () => ({ stacks: [], chains: [top!] }) }), {
    code: 'STORE_CORRUPT',
    path: root.paths.layer(below!),
  })
  assert.deepEqual(listing(join(root.paths.root, 'image')), before)
})

test('an image whose record is damaged keeps its content; one that nobody uses goes', async t => {
  const { root, layers } = await storeOf(t, [a], [b])
  for (const stack of [[a], [b]]) writeFileSync(join(root.paths.layer(chainIdsOf(stack)[0]!), 'size'), 'x')
  const { layers: removed, contents } = await layers.collect(live([a]))
  assert.deepEqual(removed, [{ chainId: chainIdsOf([b])[0] }])
  assert.deepEqual(
    contents.map(({ cacheId }) => cacheId),
    [hexOf(b)],
  )
  assert.ok(existsSync(root.paths.packedLayer(hexOf(a))))
})

test('files that are no layers of ours are left alone', async t => {
  const { root, layers } = await storeOf(t, [a])
  for (const name of ['notes.txt', 'x.tar.lz4', `${hexOf(a)}.tar`]) writeFileSync(join(root.paths.content, name), '')
  await layers.collect(live())
  assert.deepEqual(readdirSync(root.paths.content).sort(), ['notes.txt', 'x.tar.lz4', `${hexOf(a)}.tar`].sort())
})

test('leases hold, until they are released or their process dies', async t => {
  const { root, layers } = await storeOf(t, [a], [b])
  const other = await startStoreProcess(t, root.paths.root)
  await other.ask('lease', b)
  const lease = await layers.lease({ stacks: [[a]] })
  assert.deepEqual((await layers.collect(live())).layers, [])
  await lease.release()
  await lease.release()
  assert.deepEqual(
    (await layers.collect(live())).layers.map(({ record }) => record?.diffId),
    [a],
  )
  await other.kill()
  assert.deepEqual(
    (await layers.collect(live())).layers.map(({ record }) => record?.diffId),
    [b],
  )
})

test('references and leases are read again: what turns out to be used comes back', async t => {
  for (const how of ['reference', 'lease'] as const) {
    const { root, layers } = await storeOf(t, [a, b], [c])
    let readings = 0
    const roots = async () => {
      if (++readings === 1 && how === 'lease') await layers.lease({ stacks: [[a, b]] })
      return { stacks: readings > 1 && how === 'reference' ? [[a, b]] : [] }
    }
    const { layers: removed } = await layers.collect({ roots })
    assert.deepEqual(
      removed.map(({ record }) => record?.diffId),
      [c],
    )
    assert.equal((await layers.chainOf([a, b])).length, 2)
    assert.deepEqual(readdirSync(root.paths.limbo), [])
  }
})

test('when the references cannot be read a second time, everything comes back', async t => {
  const { root, layers } = await storeOf(t, [a, b])
  let readings = 0
  const roots = async () => {
    if (++readings > 1) throw new Error('unreadable')
    return { stacks: [] }
  }
  await assert.rejects(layers.collect({ roots }), /unreadable/)
  assert.equal((await layers.chainOf([a, b])).length, 2)
  assert.deepEqual(readdirSync(root.paths.limbo), [])
})

test('who looks while a collector holds a layer puts it back, and a reader waits', async t => {
  const { root, layers } = await storeOf(t, [a])
  const aside = await root.setAside(root.paths.layer(chainIdsOf([a])[0]!))
  await root.setAside(root.paths.packedLayer(hexOf(a)))
  const reader = packedLayers(await openRoot(root.paths.root, { readOnly: true }))
  const reading = reader.get(chainIdsOf([a])[0]!)
  assert.equal((await layers.get(chainIdsOf([a])[0]!))?.diffId, a)
  assert.equal((await reading)?.diffId, a)
  assert.equal(await root.condemn(aside!), false)
  assert.deepEqual(readdirSync(root.paths.limbo), [])
})

test('one collector at a time', async t => {
  const { root, layers } = await storeOf(t, [a])
  const second = await openRoot(root.paths.root, { durability: 'none', lockTimeoutMs: 20 })
  t.after(() => second.close())
  await root.withCollectLock(async () => {
    await assert.rejects(packedLayers(second).collect(live()), { code: 'STORE_BUSY' })
  })
  assert.equal((await layers.list()).length, 1)
})

test('a lease that cannot be understood stops the collection', async t => {
  const { root, layers } = await storeOf(t, [a])
  const [owner] = readdirSync(root.paths.owners)
  const path = join(root.paths.owners, `${owner}.99`)
  writeFileSync(path, `chain ${a}\nhalf a li`)
  assert.deepEqual((await layers.collect(live())).layers, [])
  writeFileSync(path, 'snapshot 1\n')
  await assert.rejects(layers.collect(live()), { code: 'STORE_CORRUPT', path })
})
