/** A disk that others have filled to the last byte and the last inode: removing and collecting work there, as root, for both drivers. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { reserveFiles } from '../../src/disk/reserve.js'
import { Store, type StoreOptions } from '../../src/index.js'
import { fill, freeBytes, isFull, makeRoom } from '../build/full-disk.js'
import { legacyArchive, type MadeImage } from '../build/image.js'
import { ownExt4, ownSmallTmpfs } from '../build/mounted.js'
import { archiveFile, leftovers } from '../build/store.js'
import { startStoreProcess } from '../build/stores.js'
import { file, tar } from '../build/tar.js'

const MiB = 2 ** 20
const layerBytes = 2 * MiB
const names = ['a', 'b', 'c', 'd']

/** Three layers each, of which the topmost is the largest; the base is everybody's. */
function images(): MadeImage[] {
  const base = tar([file('base', randomBytes(100_000))])
  return names.map(name => ({
    layers: [base, tar([file(`etc/${name}`, name)]), tar([file(name, randomBytes(layerBytes))])],
    tags: [`${name}:1`],
    config: { created: `2020-01-0${names.indexOf(name) + 1}T00:00:00Z` },
  }))
}

interface Scene {
  readonly mount: string
  readonly root: string
  open(options?: StoreOptions): Promise<Store>
}

/** A store with the images and a container of each. */
async function makeScene(t: TestContext, mount: string, driver: 'packed' | 'overlay2'): Promise<Scene> {
  const root = join(mount, 'store')
  const open = (options: StoreOptions = {}) => Store.open(root, { driver, workers: 1, ...options })
  const store = await open()
  await store.load(archiveFile(t, legacyArchive(images())))
  for (const name of names) {
    const box = await store.create(`${name}:1`, { name: `box-${name}` })
    box.writeFileSync('/own', randomBytes(MiB))
    await box.close()
  }
  await store.close()
  return { mount, root, open }
}

/** Fills the disk, does it, and looks what has become free. */
async function onFullDisk({ mount }: Scene, what: string, leastBytes: number, work: () => Promise<unknown>) {
  fill(mount)
  assert.ok(isFull(mount), `${what}: not full`)
  const before = freeBytes(mount)
  await work()
  const freed = freeBytes(mount) - before
  assert.ok(freed >= leastBytes, `${what}: ${freed} bytes became free, not ${leastBytes}`)
}

const reserveOf = ({ root }: Scene) => readdirSync(join(root, 'phyllo/reserve')).length

const disks = {
  tmpfs: () => ownSmallTmpfs(48 * MiB, 3000),
  ext4: () => ownExt4(64 * MiB, 3000),
}

for (const [disk, mountDisk] of Object.entries(disks))
  for (const driver of ['packed', 'overlay2'] as const)
    test(`${disk}, ${driver}: what is removed on a full disk is gone, and its bytes are free`, async t => {
      const scene = await makeScene(t, mountDisk(), driver)
      const { mount, root, open } = scene
      let store = await open()
      await onFullDisk(scene, 'rm', MiB, () => store.removeContainer('box-a'))
      await onFullDisk(scene, 'rmi', layerBytes, async () => store.remove('a:1'))
      assert.equal(reserveOf(scene), reserveFiles, 'the reserve is there again')
      for (const name of ['box-b', 'box-c']) await store.removeContainer(name)
      await onFullDisk(scene, 'image prune', 2 * layerBytes, async () => store.prune({ all: true }))
      assert.deepEqual(
        (await store.images()).map(({ tags }) => tags),
        [['d:1']],
      )
      await store.close()

      await onFullDisk(scene, 'open and close', 0, async () => (await open()).close())
      await onFullDisk(scene, 'open after a kill', 3 * MiB, async () => {
        makeRoom(mount)
        const other = await startStoreProcess(t, root)
        const stage = await other.ask('stage')
        writeFileSync(join(stage, 'large'), randomBytes(3 * MiB))
        await other.kill()
        fill(mount)
        store = await open()
        // What the dead have left goes in the background, and no further than to the close.
        for (let tries = 0; leftovers(root).length > 0 && tries < 100; tries++) await sleep(20)
        await store.close()
      })
      await onFullDisk(scene, 'gc', 3 * MiB, async () => {
        makeRoom(mount)
        mkdirSync(join(root, 'phyllo/trash/old.1'))
        writeFileSync(join(root, 'phyllo/trash/old.1/large'), randomBytes(3 * MiB))
        fill(mount)
        store = await open({ tidy: false })
        await store.gc()
        await store.close()
      })
      makeRoom(mount)
      store = await open()
      assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
      assert.deepEqual(leftovers(root), [])
      assert.deepEqual((await store.gc({ dryRun: true })).garbage, [])
      await store.close()
      assert.equal(reserveOf(scene), reserveFiles)
    })
