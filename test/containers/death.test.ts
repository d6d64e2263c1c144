/** Whoever makes or removes a container dies before any of its effects: a container is whole or not there, and nothing remains. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Root } from '../../src/disk/root.js'
import { containersOf, imageOf, notWhole, openMemoryRoot, remains } from '../build/containers.js'
import { addStack, diffIdOf } from '../build/layers.js'
import { atOnce, MemoryDisk, type Step } from '../build/memory-disk.js'

const stack = [diffIdOf('base'), diffIdOf('top')]
const base = { image: imageOf(stack), name: 'app:v1' }
const effects = new Set(['mkdir', 'write', 'link', 'rename', 'unlink'])

/** Lives until it is told when to die: before its n-th effect. From then on the kernel alone does something: descriptors are closed. */
class Mortal {
  effects = 0
  #before = Number.POSITIVE_INFINITY

  get dead(): boolean {
    return this.effects > this.#before
  }

  dieBefore(effect: number): void {
    this.effects = 0
    this.#before = effect
  }

  readonly step: Step = async (call, _path, work) => {
    if (effects.has(call)) this.effects++
    if (this.dead && call !== 'close') throw new Error('dead')
    return work()
  }
}

async function storeWith(containers: readonly string[]): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const root = await openMemoryRoot(disk, 'before', atOnce)
  await addStack(root, stack)
  for (const name of containers) await (await containersOf(root).create({ base, name, bounds: {} })).release()
  await root.close()
  return disk
}

/** Runs the work in a process that dies at each of its effects, and looks at what is left by it each time. */
async function dieEverywhere(
  has: readonly string[],
  work: (root: Root) => Promise<void>,
  check: (names: readonly string[], disk: MemoryDisk, root: Root) => Promise<void>,
): Promise<number> {
  for (let n = 0; ; n++) {
    const disk = await storeWith(has)
    const mortal = new Mortal()
    const its = await openMemoryRoot(disk, 'mortal', mortal.step)
    mortal.dieBefore(n)
    const failure = await work(its).catch((error: unknown) => error)
    const { dead, effects: count } = mortal
    if (!dead && failure !== undefined) throw failure
    await its.close().catch(() => assert.ok(mortal.dead))
    assert.equal(notWhole(disk), undefined, `effect ${n}`)
    const root = await openMemoryRoot(disk, 'after', atOnce)
    const names = (await containersOf(root).list()).map(({ name }) => name)
    await check(names, disk, root)
    await root.reap()
    await containersOf(root).tidy()
    await root.close()
    assert.deepEqual(remains(disk), [], `effect ${n}`)
    if (!dead) return count
  }
}

test('create, killed before any effect', async () => {
  const seen = new Set<string>()
  const count = await dieEverywhere(
    ['other'],
    async root => (await containersOf(root).create({ base, name: 'new', bounds: {} })).release(),
    async (names, _disk, root) => {
      seen.add(names.includes('new') ? 'there' : 'not there')
      assert.ok(names.includes('other'))
      // Its name is free, or it is a container like any other.
      if (!names.includes('new')) await (await containersOf(root).create({ base, name: 'new', bounds: {} })).release()
      await containersOf(root).remove(await containersOf(root).hold('new'))
    },
  )
  assert.ok(count >= 8, `${count} effects`)
  assert.deepEqual([...seen], ['not there', 'there'])
})

test('remove, killed before any effect', async () => {
  const seen = new Set<string>()
  const count = await dieEverywhere(
    ['other', 'old'],
    async root => containersOf(root).remove(await containersOf(root).hold('old')),
    async (names, _disk, root) => {
      seen.add(names.includes('old') ? 'there' : 'not there')
      assert.ok(names.includes('other'))
      if (names.includes('old')) await (await containersOf(root).hold('old')).release()
      else await (await containersOf(root).create({ base, name: 'old', bounds: {} })).release()
    },
  )
  assert.ok(count >= 3, `${count} effects`)
  assert.deepEqual([...seen], ['there', 'not there'])
})

test('what a death left behind goes when the next container is made, without a tidy', async () => {
  const disk = await storeWith([])
  const root = await openMemoryRoot(disk, 'late', atOnce)
  for (const path of [root.paths.mount('0'.repeat(64)), root.paths.containerUpper('1'.repeat(64))])
    await root.io.mkdir(path, 0o700).catch(async () => {
      await root.io.mkdirAll(root.paths.uppers)
      await root.io.mkdir(path, 0o700)
    })
  assert.equal(remains(disk).length, 2)
  await (await containersOf(root).create({ name: 'box', bounds: {} })).release()
  await root.sweep()
  await root.close()
  assert.deepEqual(remains(disk), [])
})
