/** repositories.json under several processes: no update of anybody is lost, whichever way they lock. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { openRoot } from '../../src/disk/open-root.js'
import { diffIdOf } from '../build/layers.js'
import { newRoot, startStoreProcess } from '../build/stores.js'

const names = 12

test('four processes give and take names at once, two of them without native code, and one is killed: nothing is lost', async t => {
  const path = newRoot(t)
  const root = await openRoot(path, { durability: 'none' })
  t.after(() => root.close())
  const image = diffIdOf('image')
  const start = (env: NodeJS.ProcessEnv) => startStoreProcess(t, path, env)
  const processes = await Promise.all([{}, { PHYLLO_NATIVE: '0' }, {}, { PHYLLO_NATIVE: '0' }].map(start))
  const victim = await start({})
  const killed = assert.rejects(victim.ask('tag', 'victim', '10000', image))
  const work = processes.map((one, at) => one.ask('tag', `writer${at}`, String(names), image))
  await Promise.race(work)
  await victim.kill()
  await killed
  await Promise.all(work)
  const { Repositories: all } = JSON.parse(readFileSync(root.paths.repositories, 'utf8'))
  for (const at of processes.keys()) {
    const expected = Array.from({ length: names / 2 }, (_, n) => [`writer${at}:${2 * n}`, image])
    assert.deepEqual(new Map(Object.entries(all[`writer${at}`])), new Map(expected as [string, string][]))
  }
  // What the killed one has said to have written is there without a hole.
  const rest = Object.keys(all.victim ?? {})
    .map(name => Number(name.slice('victim:'.length)))
    .sort((a, b) => a - b)
  const even = rest.filter(n => n % 2 === 0)
  assert.deepEqual(
    even,
    Array.from(even, (_, at) => 2 * at),
  )
  assert.ok(rest.filter(n => n % 2 === 1).length <= 1, rest.join())
})
