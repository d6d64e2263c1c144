/** Rot of every class of files of a store of driver packed: found, never shown, healed. More of it, and overlay2: rot.system.test.ts. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { filesByClass } from '../build/rot.js'
import { type Bounds, type Rot, RotStore, randomOf } from '../build/rot-store.js'

const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 1_000_000)

/** Why some damage is not told: docs/check.md. */
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
  'mount-id': {},
  'mount parent': {},
  'layer file': { depth: 'full' },
  // One that ends where a frame does, or within its last one, is that of a container that ended sooner
  journal: { untold: ['cut'], depth: 'structure', notInArchive: true },
  segment: { depth: 'full', notInArchive: true },
  'large content': { untold: ['flip'], depth: 'structure', notInArchive: true },
  container: { untold: ['delete'], notInArchive: true },
}

let store: RotStore

before(async () => {
  store = await RotStore.make('packed')
})
after(() => store.remove())

test('somebody has decided on every class of files that a store has, and the store has each', () => {
  assert.deepEqual([...store.classes.keys()].sort(), Object.keys(decided).sort())
  const strange = join(store.scratch, 'strange/phyllo')
  mkdirSync(strange, { recursive: true })
  writeFileSync(join(strange, 'new.json'), '{}')
  assert.throws(() => filesByClass(join(store.scratch, 'strange')), /nobody has decided/)
})

for (const [name, bounds] of Object.entries(decided)) {
  test(`rot: ${name}, seed ${seed}`, async () => {
    const random = randomOf(seed + name.length)
    const told = (['flip', 'cut', 'delete'] satisfies Rot[]).filter(rot => bounds.untold?.includes(rot) !== true)
    const rot = told[Math.floor(random() * told.length)]
    if (rot !== undefined) await store.judge(name, rot, bounds, random)
  })
}

test('every byte of a layer file counts: a bit of each part of it', async () => {
  const [place] = store.classes.get('layer file')!
  const { readFileSync } = await import('node:fs')
  const { findingsOf } = await import('../build/rot.js')
  const bytes = readFileSync(join(store.root, place!))
  const footer = bytes.subarray(-496)
  const [index, frame] = [Number(footer.readBigUInt64LE(64)), Number(footer.readBigUInt64LE(80))]
  const last = bytes.length - 1
  // Magic, flags, content size, header check; length word; end mark; header of the index and its padding; sections; the footer
  for (const at of [
    0,
    4,
    6,
    14,
    15,
    20,
    frame - 1,
    frame,
    frame + 5,
    index - 1,
    index,
    index + 30,
    last - 495,
    last - 100,
    last,
  ]) {
    const found = await findingsOf(store.damaged(place!, { bit: at * 8 + 3 }))
    assert.ok(Array.isArray(found) && found.some(({ path }) => path.endsWith(place!)), `byte ${at}`)
  }
})
