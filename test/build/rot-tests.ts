/** Rot of every class of files of a store, for one driver: somebody has decided on each, and what is promised of each holds. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Bounds, type Rot, RotStore, randomOf } from './rot-store.js'

export interface RotTests {
  readonly driver: 'packed' | 'overlay2'
  readonly decided: Readonly<Record<string, Bounds>>
  /** Which damage is done to a file of a class, out of what is told of it. */
  choose(told: readonly Rot[], random: () => number): readonly Rot[]
}

const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 1_000_000)
const all: readonly Rot[] = ['flip', 'cut', 'delete']

/** Answers with the store, which is there while tests run. */
export function rotTests({ driver, decided, choose }: RotTests): () => RotStore {
  let store: RotStore
  before(async () => {
    store = await RotStore.make(driver)
  })
  after(() => store.remove())

  test('somebody has decided on every class of files that a store has, and the store has each', () => {
    assert.deepEqual([...store.classes.keys()].sort(), Object.keys(decided).sort())
  })

  for (const [name, bounds] of Object.entries(decided))
    test(`rot: ${name}, seed ${seed}`, async () => {
      const random = randomOf(seed + name.length)
      const told = all.filter(rot => bounds.untold?.includes(rot) !== true)
      for (const rot of choose(told, random)) await store.judge(name, rot, bounds, random)
    })

  return () => store
}
