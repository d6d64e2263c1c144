/** Intents: what is about to be made or taken away, and is ours. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openRoot } from '../../src/disk/open-root.js'
import { newRoot, watchedIo } from '../build/stores.js'

test('an intent that is seen is whole: half of one for a container would be one for a layer, and its directory garbage', async t => {
  const path = newRoot(t)
  const intents = join(path, 'phyllo/intents')
  const written: string[] = []
  const io = watchedIo(({ operation, path }) => void (operation === 'writeNew' && written.push(path)))
  const root = await openRoot(path, { driver: 'overlay2', durability: 'none', io })
  const container = 'cd'.repeat(32)
  const intent = await root.intend({ directory: 'ab'.repeat(32), container })
  assert.deepEqual(
    readdirSync(intents).map(name => join(intents, name)),
    [intent],
  )
  assert.equal(readFileSync(intent, 'utf8'), container)
  // A write that is killed leaves an empty file: never there.
  assert.deepEqual(
    written.filter(path => path.startsWith(intents)),
    [],
  )
  await root.close()
})
