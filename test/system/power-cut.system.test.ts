/** The power goes, and whatever was reported as done is there and whole: a sample of what the campaign power-cut does more often. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { Store } from '../../src/index.js'
import { Pool } from '../../src/pool/pool.js'
import { idOf } from '../build/crash-images.js'
import { ownTmpfs } from '../build/mounted.js'
import { judge } from '../build/naive-store.js'
import { CutDisk, losesSomething } from '../build/power-cut.js'

const cuts = 3
const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 1_000_000)
const dir = ownTmpfs()
const pool = new Pool({ workers: 1 })
after(() => pool.close())

for (const driver of ['packed', 'overlay2'] as const)
  describe(`driver ${driver}`, () => {
    const options = { driver, durability: 'full', dir, pool } as const

    /** The work, the cut, and what is there then. */
    const isKept = (
      what: string,
      { work, look }: { work: (store: Store, disk: CutDisk) => PromiseLike<unknown>; look: (disk: CutDisk) => unknown },
    ) =>
      test(`${what}, and the power goes at once`, async () => {
        await using disk = await CutDisk.make(options)
        await disk.cutAfter(async store => void (await work(store, disk)))
        assert.deepEqual(judge(disk.store).findings, [])
        await look(disk)
      })
    const tag = (disk: CutDisk, name: string) => judge(disk.store).tags.get(name)
    const shown = (disk: CutDisk, path: string) => disk.inBox(box => String(box.readFileSync(path)))

    isKept('an image was loaded', {
      work: (store, disk) => store.load(join(disk.archives, 'd.tar')),
      look: disk => assert.deepEqual([tag(disk, 'd:x'), tag(disk, 'd:y')], [idOf('d'), idOf('d')]),
    })
    isKept('an image was tagged', {
      work: store => store.tag('keep:1', 'new:1'),
      look: disk => assert.equal(tag(disk, 'new:1'), idOf('a')),
    })
    isKept('a name was taken away', {
      work: async store => {
        await store.tag('keep:1', 'gone:1')
        await store.remove('gone:1')
      },
      look: disk => assert.equal(tag(disk, 'gone:1'), undefined),
    })
    isKept('a container was committed', {
      async work(store) {
        await using box = await store.container('box')
        box.writeFileSync('/data/new', 'new')
        await box.commit({ tag: 'made:1' })
      },
      look: disk => assert.notEqual(tag(disk, 'made:1'), undefined),
    })
    isKept('a container was made', {
      work: async store => void (await (await store.create('keep:1', { name: 'new' })).close()),
      look: disk => assert.ok(judge(disk.store).containers.has('new')),
    })
    isKept('a container was removed', {
      work: store => store.removeContainer('box'),
      look: disk => assert.ok(!judge(disk.store).containers.has('box')),
    })
    // Closing a container says nothing of the disk: it is closed because its files are open on a disk that is gone otherwise.
    isKept('a container was synced', {
      async work(store) {
        await using box = await store.container('box')
        box.writeFileSync('/data/new', 'new')
        box.appendFileSync('/etc/motd', 'more')
        await box.sync()
      },
      look: async disk => {
        assert.equal(await shown(disk, '/data/new'), 'new')
        assert.equal(await shown(disk, '/etc/motd'), 'hello\nmore')
      },
    })
    isKept('a file of a container was synced', {
      async work(store) {
        await using box = await store.container('box')
        const fd = box.openSync('/data/new', 'w')
        box.writeSync(fd, 'new')
        box.fsyncSync(fd)
      },
      look: async disk => assert.equal(await shown(disk, '/data/new'), 'new'),
    })
    isKept('an archive was saved', {
      work: (store, disk) => store.save('keep:1', join(disk.outputs, 'saved.tar')),
      async look(disk) {
        const path = join(disk.outputs, 'saved.tar')
        assert.ok(existsSync(path), 'it has lost its name')
        assert.ok(readFileSync(path).length > 300_000)
      },
    })

    test(`${cuts} cuts while a process works`, async t => {
      t.diagnostic(`PHYLLO_SEED=${seed}`)
      await using disk = await CutDisk.make(options)
      for (let n = 0; n < cuts; n++) await disk.cut(seed + n)
    })

    test('who does not wait for the disk loses something', async () => {
      await losesSomething({ ...options, durability: 'none' }, seed)
    })
  })
