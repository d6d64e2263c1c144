/** Two adders and a collector in every order of their steps: nothing live is lost, and nothing is half there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Scene, walkInThread } from '../build/layer-scenes.js'
import { diffIdOf } from '../build/layers.js'

const [base, left] = [diffIdOf('base'), diffIdOf('left')]

/** `leastStates`: far fewer mean that the walk does not see the steps any more. */
const safe: readonly (readonly [name: string, scene: Scene, leastStates: number])[] = [
  [
    'two adders of one image and a collector, the layer left over from an image that was removed',
    { grain: 'protocol', leftOver: [[base]], adders: [[base], [base]] },
    3000,
  ],
  ['an adder and a collector, at every call', { grain: 'call', leftOver: [[base]], adders: [[base]] }, 1000],
  ['two layers, both left over', { grain: 'protocol', leftOver: [[base, left]], adders: [[base, left]] }, 1000],
  [
    'a layer whose content is left over under another parent',
    { grain: 'protocol', leftOver: [[left]], adders: [[base, left]] },
    1000,
  ],
]

test('every order', { concurrency: 2 }, async t => {
  const walks = safe.map(([name, scene, leastStates]) =>
    t.test(name, async () => {
      const { failure, states, runs } = await walkInThread(scene)
      t.diagnostic(`${name}: ${states} states, ${runs} runs`)
      assert.equal(failure, undefined, `${failure?.reason}\n${failure?.order.join('\n')}`)
      assert.ok(states >= leastStates, `only ${states} states`)
    }),
  )
  await Promise.all(walks)
})

test('with look, then lease, the walk finds the layer that is lost', async () => {
  const scene: Scene = { grain: 'protocol', leftOver: [[base]], adders: [[base]], order: 'look, then lease' }
  const { failure } = await walkInThread(scene)
  assert.match(failure?.reason ?? '', /lost/)
})
