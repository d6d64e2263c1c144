/**
 * An adder and a collector in every order of their steps: nothing live is lost, and nothing is half there. The scenes whose
 * orders are the most are in interleavings.system.test.ts.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { everyOrderIsSafe } from '../build/every-order.js'
import { base, left, type Scene, walkInThread } from '../build/layer-scenes.js'

everyOrderIsSafe([
  ['an adder and a collector, at every call', { grain: 'call', leftOver: [[base]], adders: [[base]] }, 1000],
  [
    'a layer whose content is left over under another parent',
    { grain: 'protocol', leftOver: [[left]], adders: [[base, left]] },
    1000,
  ],
])

test('with look, then lease, the walk finds the layer that is lost', async () => {
  const scene: Scene = { grain: 'protocol', leftOver: [[base]], adders: [[base]], order: 'look, then lease' }
  const { failure } = await walkInThread(scene)
  assert.match(failure?.reason ?? '', /lost/)
})
