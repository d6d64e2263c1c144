/** Rot of every class of files of a store of driver overlay2, as root: found, healed; saving never gives something else. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bounds, type Rot, RotStore, randomOf } from '../build/rot-store.js'

const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 1_000_000)

const decided: Readonly<Record<string, Bounds>> = {
  'store.json': {},
  lock: { untold: ['delete'] },
  repositories: { untold: ['flip', 'delete'] },
  config: {},
  'image parent': { untold: ['delete'], shownAsItIs: true },
  'image time': { untold: ['flip', 'cut', 'delete'] },
  diff: {},
  size: { depth: 'structure' },
  'cache-id': {},
  parent: {},
  // Time, flags of the compressor and operating system: RFC 1952, 2.3.1
  'tar-split': { depth: 'structure', idle: [4, 10] },
  'mount-id': {},
  'mount parent': {},
  container: { untold: ['delete'], notInArchive: true },
  link: { depth: 'structure' },
  lower: { depth: 'structure' },
  committed: { depth: 'structure' },
  'short name': { depth: 'structure' },
  'layer content': { depth: 'full', shownAsItIs: true },
  'upper content': { untold: ['flip', 'cut', 'delete'] },
}

let store: RotStore

before(async () => {
  store = await RotStore.make('overlay2')
})
after(() => store.remove())

test('somebody has decided on every class of files that a store has, and the store has each', () => {
  assert.deepEqual([...store.classes.keys()].sort(), Object.keys(decided).sort())
})

for (const [name, bounds] of Object.entries(decided)) {
  test(`rot: ${name}, seed ${seed}`, async () => {
    const random = randomOf(seed + name.length)
    for (let round = 0; round < 3; round++)
      for (const rot of ['flip', 'cut', 'delete'] satisfies Rot[]) await store.judge(name, rot, bounds, random)
  })
}
