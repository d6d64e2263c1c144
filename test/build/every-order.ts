/** Scenes of adders and collectors, each a test that walks through every order of their steps. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Scene, walkInThread } from './layer-scenes.js'

/** `leastStates`: far fewer mean that the walk does not see the steps any more. */
type Walked = readonly [name: string, scene: Scene, leastStates: number]

export function everyOrderIsSafe(scenes: readonly Walked[]): void {
  test('every order', { concurrency: 2 }, async t => {
    const walks = scenes.map(([name, scene, leastStates]) =>
      t.test(name, async () => {
        const { failure, states, runs } = await walkInThread(scene)
        t.diagnostic(`${name}: ${states} states, ${runs} runs`)
        assert.equal(failure, undefined, `${failure?.reason}\n${failure?.order.join('\n')}`)
        assert.ok(states >= leastStates, `only ${states} states`)
      }),
    )
    await Promise.all(walks)
  })
}
