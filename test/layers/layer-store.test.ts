import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openRoot } from '../../src/disk/open-root.js'
import type { Root } from '../../src/disk/root.js'
import { Overlay2Driver } from '../../src/drivers/overlay2/overlay2-driver.js'
import { LayerStore } from '../../src/layers/layer-store.js'
import { chainIdsOf } from '../../src/oci/chain-id.js'
import { type ChainId, type DiffId, hexOf } from '../../src/oci/digest.js'
import { addStack, diffIdOf, packedLayers } from '../build/layers.js'
import { listing, newRoot, startStoreProcess } from '../build/stores.js'

/** A chain that a real dockerd made. */
const docker = {
  diffIds: [
    '6b24442ff20804ba9b8371bcb9a816d23b5f7b7d7644915cd31ad5cf0000db56',
    '538b7c6573119df4f4f1936a5f64a91527108941b2c6939351baa45fa0934f01',
    '2a2ef78ad34d19283e37cc394544d33baae731b9f2b53e60f7b9aebe241c9f23',
  ].map(hex => `sha256:${hex}` as DiffId),
  chains: [
    '6b24442ff20804ba9b8371bcb9a816d23b5f7b7d7644915cd31ad5cf0000db56',
    '1c1de67ae2f45336582e2c234bfbd5f287d13f30bfb8740ecbd93e25517d9abb',
    '1bad18af1503b7e97081d6d7c2b1f5b71ddf0c6b5f531fa1a22658151bc76647',
  ],
}

async function newStore(t: TestContext, durability: 'full' | 'none' = 'none') {
  const root = await openRoot(newRoot(t), { durability })
  t.after(() => root.close())
  return { root, layers: packedLayers(root) }
}

const recordPath = (root: Root, diffIds: readonly DiffId[], file = '') =>
  join(root.paths.layer(chainIdsOf(diffIds).at(-1)!), file)

test('layers are written down exactly as Docker does it', async t => {
  const { root } = await newStore(t, 'full')
  await addStack(root, docker.diffIds, 1234)
  const db = root.paths.layers
  assert.deepEqual(readdirSync(db).sort(), [...docker.chains].sort())
  for (const [index, chain] of docker.chains.entries()) {
    const read = (file: string) => readFileSync(join(db, chain, file), 'utf8')
    assert.equal(lstatSync(join(db, chain)).mode & 0o7777, 0o700)
    assert.equal(read('diff'), docker.diffIds[index])
    assert.equal(read('size'), '1234')
    assert.equal(read('cache-id'), hexOf(docker.diffIds[index]!))
    if (index > 0) assert.equal(read('parent'), `sha256:${docker.chains[index - 1]}`)
    assert.deepEqual(readdirSync(join(db, chain)).length, index > 0 ? 4 : 3)
    for (const file of readdirSync(join(db, chain))) {
      assert.equal(lstatSync(join(db, chain, file)).mode & 0o7777, 0o644)
    }
  }
  const content = root.paths.packedLayer(hexOf(docker.diffIds[0]!))
  assert.equal(lstatSync(content).mode & 0o7777, 0o644)
  assert.equal(lstatSync(content).nlink, 1)
})

test('a layer can be read back, and what is not there is undefined', async t => {
  const { root, layers } = await newStore(t)
  const stack = [diffIdOf('a'), diffIdOf('b')]
  const [a, b] = chainIdsOf(stack) as [ChainId, ChainId]
  assert.equal(await layers.get(a), undefined)
  assert.equal(await layers.has(a), false)
  await addStack(root, stack)
  const expected = { chainId: b, diffId: stack[1], sizeBytes: 7, cacheId: hexOf(stack[1]!), parent: a }
  assert.deepEqual(await layers.get(b), expected)
  assert.deepEqual(
    (await layers.list()).map(({ chainId }) => chainId),
    [a, b].sort(),
  )
  assert.deepEqual(
    (await layers.chainOf(stack)).map(({ chainId }) => chainId),
    [a, b],
  )
  await assert.rejects(layers.chainOf([...stack, diffIdOf('c')]), { code: 'STORE_CORRUPT', message: /layer 3 of 3/ })
})

test('adding again changes nothing', async t => {
  const { root } = await newStore(t)
  await addStack(root, [diffIdOf('a'), diffIdOf('b')])
  const before = listing(root.paths.root)
  await addStack(root, [diffIdOf('a'), diffIdOf('b')])
  assert.deepEqual(listing(root.paths.root), before)
})

test('equal diffIds share one file, and the second one needs no content', async t => {
  const { root, layers } = await newStore(t)
  await addStack(root, [diffIdOf('a'), diffIdOf('x')], 99)
  const [, look] = await layers.look([diffIdOf('b'), diffIdOf('x')])
  assert.equal(look?.record, undefined)
  assert.equal(look?.sizeBytes, 99)
  await addStack(root, [diffIdOf('b'), diffIdOf('x'), diffIdOf('x')])
  assert.equal(readdirSync(root.paths.content).length, 3)
  assert.equal((await layers.list()).filter(({ diffId }) => diffId === diffIdOf('x')).length, 3)
})

test('publish wants a lease that covers the layer, a parent that is there, and content', async t => {
  const { root, layers } = await newStore(t)
  const [a, b] = [diffIdOf('a'), diffIdOf('b')]
  const other = await layers.lease({ stacks: [[b]] })
  await assert.rejects(layers.publish({ diffId: a, parent: undefined, sizeBytes: 1, lease: other }), TypeError)
  const lease = await layers.lease({ stacks: [[a, b]] })
  const onTop = { diffId: b, parent: chainIdsOf([a])[0], sizeBytes: 1, lease }
  await assert.rejects(layers.publish(onTop), { code: 'STORE_CORRUPT', message: /parent/ })
  await assert.rejects(layers.publish({ diffId: a, parent: undefined, sizeBytes: 1, lease }), { code: 'STORE_CORRUPT' })
  assert.deepEqual(await root.io.readdir(root.paths.layers), [])
})

/** Docker trims whitespace of all files but size. */
for (const [file, text] of [
  ['diff', `  ${diffIdOf('b')}\n`],
  ['cache-id', `${hexOf(diffIdOf('b'))}\n\n`],
  ['parent', `\t${diffIdOf('a')} \n`],
] as const) {
  test(`whitespace around ${file} is fine`, async t => {
    const { root, layers } = await newStore(t)
    const stack = [diffIdOf('a'), diffIdOf('b')]
    await addStack(root, stack)
    writeFileSync(recordPath(root, stack, file), text)
    assert.equal((await layers.get(chainIdsOf(stack)[1]!))?.cacheId, hexOf(diffIdOf('b')))
  })
}

for (const [file, text] of [
  ['diff', ''],
  ['diff', 'sha256:abc'],
  ['diff', diffIdOf('other')],
  ['size', ''],
  ['size', '7\n'],
  ['size', '-7'],
  ['size', '0x7'],
  ['size', '9'.repeat(16)],
  ['cache-id', ''],
  ['cache-id', ' \n'],
  ['cache-id', '../../etc/passwd'],
  ['cache-id', '\0'.repeat(64)],
  ['parent', ''],
  ['parent', hexOf(diffIdOf('a'))],
  ['parent', diffIdOf('other')],
  ['parent', undefined],
  ['size', undefined],
  ['cache-id', undefined],
  ['cache-id', 'x'.repeat(5000)],
] as const) {
  const shown = text === undefined ? 'missing' : JSON.stringify(text.slice(0, 20))
  test(`${file} ${shown}: corrupt, absent for who adds, and repaired by adding`, async t => {
    const { root, layers } = await newStore(t)
    const stack = [diffIdOf('a'), diffIdOf('b')]
    const chain = chainIdsOf(stack)[1]!
    await addStack(root, stack)
    const path = recordPath(root, stack, file)
    if (text === undefined) rmSync(path)
    else writeFileSync(path, text)
    await assert.rejects(layers.get(chain), (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, 'STORE_CORRUPT')
      assert.ok(error.path?.startsWith(recordPath(root, stack)), error.path)
      return true
    })
    assert.equal(await layers.has(chain), false)
    assert.deepEqual(
      (await layers.scan()).damaged.map(({ chainId }) => chainId),
      [chain],
    )
    await addStack(root, stack)
    assert.equal((await layers.get(chain))?.sizeBytes, 7)
  })
}

test('content that is gone, or empty after a power cut, is corrupt and repaired by adding', async t => {
  const { root, layers } = await newStore(t)
  const stack = [diffIdOf('a')]
  const content = root.paths.packedLayer(hexOf(stack[0]!))
  for (const damage of [() => rmSync(content), () => truncateSync(content)]) {
    await addStack(root, stack)
    damage()
    await assert.rejects(layers.get(chainIdsOf(stack)[0]!), { code: 'STORE_CORRUPT', path: content })
    await addStack(root, stack)
    assert.equal(readFileSync(content, 'utf8'), `content of ${stack[0]}`)
  }
})

test('names that Docker ignores are ignored, and what an unfinished write left is no layer', async t => {
  const { root, layers } = await newStore(t)
  await addStack(root, [diffIdOf('a')])
  for (const name of ['write-set-1', `${hexOf(diffIdOf('a'))}-x-removing`, 'ABC', hexOf(diffIdOf('empty'))]) {
    mkdirSync(join(root.paths.layers, name))
  }
  assert.equal((await layers.list()).length, 1)
  await addStack(root, [diffIdOf('empty')])
  assert.equal((await layers.list()).length, 2)
})

test('two processes add the same layers at once: both succeed, and there is one copy', async t => {
  const path = newRoot(t)
  const names = ['a', 'b', 'c', 'd'].map(diffIdOf)
  const others = await Promise.all([startStoreProcess(t, path), startStoreProcess(t, path)])
  const root = await openRoot(path, { durability: 'none' })
  const chains = await Promise.all([
    ...others.map(other => other.ask('add', ...names)),
    addStack(root, names).then(String),
  ])
  assert.equal(chains[0], chainIdsOf(names).join())
  assert.equal(readdirSync(root.paths.content).length, 4)
  assert.equal((await packedLayers(root).list()).length, 4)
  await Promise.all(others.map(other => other.ask('close')))
  for (const directory of [root.paths.stages, root.paths.trash, root.paths.limbo])
    assert.deepEqual(readdirSync(directory), [])
  await root.close()
})

test('a store of others is read without writing', async t => {
  const path = newRoot(t)
  const root = await openRoot(path, { durability: 'none' })
  await addStack(root, docker.diffIds)
  await root.close()
  const before = listing(path)
  const reader = await openRoot(path, { readOnly: true })
  const layers = packedLayers(reader)
  await using lease = await layers.lease({ stacks: [docker.diffIds] })
  assert.equal((await layers.chainOf(docker.diffIds)).length, 3)
  await assert.rejects(layers.publish({ diffId: docker.diffIds[0]!, parent: undefined, sizeBytes: 0, lease }), {
    code: 'STORE_READ_ONLY',
  })
  await assert.rejects(layers.collect({ roots: async () => ({ stacks: [] }) }), { code: 'STORE_READ_ONLY' })
  assert.deepEqual(listing(path), before)
})

test('an overlay2 root of Docker: any cache-id, a directory as content', async t => {
  const path = newRoot(t)
  const chain = join(path, 'image/overlay2/layerdb/sha256', docker.chains[0]!)
  mkdirSync(chain, { recursive: true })
  mkdirSync(join(path, 'overlay2/layer-0/diff'), { recursive: true })
  for (const [file, text] of Object.entries({ diff: docker.diffIds[0]!, size: '5', 'cache-id': 'layer-0' })) {
    writeFileSync(join(chain, file), text)
  }
  chmodSync(path, 0o710)
  const root = await openRoot(path, { readOnly: true })
  const layers = new LayerStore(root, new Overlay2Driver(root))
  assert.equal((await layers.chainOf(docker.diffIds.slice(0, 1)))[0]?.cacheId, 'layer-0')
  assert.equal(existsSync(join(path, 'phyllo')), false)
})
