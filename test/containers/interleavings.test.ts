/** Makers, users and removers of containers and a collector, in every order of their steps. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ContainerScene, walkContainers } from '../build/container-scenes.js'

/** `leastStates`: far fewer mean that the walk does not see the steps any more. */
const scenes: readonly (readonly [name: string, scene: ContainerScene, leastStates: number])[] = [
  [
    'one is made over layers that nothing else refers to, and a collector',
    { grain: 'protocol', old: false, roles: ['make', 'collect'] },
    500,
  ],
  ['two are made under one name', { grain: 'protocol', old: false, roles: ['make the same', 'make the same'] }, 150],
  ['one is used and removed at once', { grain: 'call', old: true, roles: ['use', 'remove'] }, 15],
  ['one is removed twice at once', { grain: 'call', old: true, roles: ['remove', 'remove'] }, 15],
  ['the last one is removed, and a collector', { grain: 'protocol', old: true, roles: ['remove', 'collect'] }, 40],
]

test('every order', { concurrency: 2 }, async t => {
  const walks = scenes.map(([name, scene, leastStates]) =>
    t.test(name, async () => {
      const { failure, states, runs } = await walkContainers(scene)
      t.diagnostic(`${name}: ${states} states, ${runs} runs`)
      assert.equal(failure, undefined, `${failure?.reason}\n${failure?.order.join('\n')}`)
      assert.ok(states >= leastStates, `only ${states} states`)
    }),
  )
  await Promise.all(walks)
})
