/** What a container keeps alive, while layers are collected. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ContainerStore } from '../../src/containers/container-store.js'
import { containerReferences } from '../../src/containers/references.js'
import { openRoot } from '../../src/disk/open-root.js'
import { defaultLimits } from '../../src/limits.js'
import { chainIdsOf } from '../../src/oci/chain-id.js'
import { imageOf } from '../build/containers.js'
import { addStack, diffIdOf, packedLayers } from '../build/layers.js'
import { newRoot } from '../build/stores.js'

const [a, b, c] = [diffIdOf('a'), diffIdOf('b'), diffIdOf('c')]

test('its layers live as long as it does, with no image that names them', async t => {
  const root = await openRoot(newRoot(t), { durability: 'none' })
  t.after(() => root.close())
  const layers = packedLayers(root)
  const containers = new ContainerStore(root, layers, defaultLimits)
  const roots = () => containerReferences(root, containers)
  await addStack(root, [a, b])
  await addStack(root, [a, c])
  const held = await containers.create({ base: { image: imageOf([a, b]), name: 'gone' }, bounds: {} })
  const gone = await layers.collect({ roots })
  assert.deepEqual(
    gone.layers.map(({ chainId }) => chainId),
    chainIdsOf([a, c]).slice(1),
  )
  assert.deepEqual((await layers.chainOf([a, b])).length, 2)
  assert.ok((await roots()).images.has(imageOf([a, b]).id))
  await containers.remove(held)
  assert.equal((await layers.collect({ roots })).layers.length, 2)
  assert.deepEqual(await layers.list(), [])
})

test('a mount of Docker’s keeps its chain, without any record; one that cannot be read stops the collection', async t => {
  const root = await openRoot(newRoot(t), { durability: 'none' })
  t.after(() => root.close())
  const layers = packedLayers(root)
  const roots = () => containerReferences(root, new ContainerStore(root, layers, defaultLimits))
  await addStack(root, [a, b])
  const mount = root.paths.mount('d'.repeat(64))
  mkdirSync(mount)
  writeFileSync(join(mount, 'parent'), chainIdsOf([a, b])[1]!)
  assert.equal((await layers.collect({ roots })).layers.length, 0)
  writeFileSync(join(mount, 'parent'), 'no digest')
  await assert.rejects(layers.collect({ roots }), { code: 'STORE_CORRUPT', path: join(mount, 'parent') })
  writeFileSync(join(mount, 'parent'), chainIdsOf([a, b])[1]!)
  writeFileSync(root.paths.container('e'.repeat(64)), '{')
  await assert.rejects(layers.collect({ roots }), { code: 'STORE_CORRUPT' })
  assert.equal((await layers.list()).length, 2)
})
