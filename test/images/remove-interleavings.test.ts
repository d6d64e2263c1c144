/** Removers, and others who load, tag, make a container of or collect the same image, in every order; and removers that die. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openRoot } from '../../src/disk/open-root.js'
import { liveRoots } from '../../src/images/remove.js'
import type { Flock } from '../../src/native/flock.js'
import { rootPath } from '../build/containers.js'
import { atOnce } from '../build/memory-disk.js'
import {
  broken,
  dieAt,
  diskWithImage,
  partsOf,
  type RemovalWalk,
  remove,
  testEveryOrder,
} from '../build/removal-walk.js'

/** A container that is made meanwhile has so many orders that it has a file of its own: remove-create.system.test.ts. */
const scenes: readonly (readonly [scene: RemovalWalk, leastStates: number])[] = [
  [{ grain: 'protocol', roles: ['remove', 'load'] }, 1000],
  [{ grain: 'protocol', roles: ['remove', 'tag'] }, 100],
  [{ grain: 'protocol', roles: ['remove', 'remove by id'] }, 20],
  [{ grain: 'protocol', roles: ['collect', 'remove later'] }, 50],
]

test('every order', { concurrency: 2 }, async t => {
  await Promise.all(scenes.map(([scene, leastStates]) => testEveryOrder(t, scene, leastStates)))
})

/** Nobody holds anything: the only other one has died. */
const free: Flock = {
  via: 'libc',
  tryExclusive: async () => true,
  tryShared: async () => true,
  unlock: async () => undefined,
}

test('a remover that dies at any of its calls leaves a whole store, and the next one finishes', async () => {
  let deaths = 0
  for (let calls = 0; ; calls++) {
    const disk = await diskWithImage()
    if (!(await dieAt(disk, calls))) break
    deaths++
    const root = await openRoot(rootPath, { durability: 'none', io: disk.io('next', atOnce), flock: async () => free })
    assert.equal(broken(disk), undefined, `after ${calls} calls`)
    const parts = partsOf(root)
    for (const id of await parts.images.list()) await remove(parts, id, { force: true })
    await parts.layers.collect({ roots: liveRoots(parts) })
    await root.close()
    const left = [...disk.nodes.keys()].filter(path =>
      /sha256\/.|\/(limbo|stages|trash|owners)\/.|tar\.lz4$/.test(path),
    )
    assert.deepEqual(left, [], `after ${calls} calls`)
  }
  assert.ok(deaths > 40, `${deaths} deaths`)
})
