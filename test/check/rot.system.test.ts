/** Rot of every class of files of a store of driver overlay2, as root: found, healed; saving never gives something else. */
import assert from 'node:assert/strict'
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Store } from '../../src/index.js'
import type { Bounds } from '../build/rot-store.js'
import { rotTests } from '../build/rot-tests.js'

const decided: Readonly<Record<string, Bounds>> = {
  'store.json': {},
  lock: { untold: ['delete'] },
  reserve: { untold: ['flip', 'cut', 'delete'] },
  repositories: { untold: ['flip', 'delete'] },
  config: {},
  'image parent': { untold: ['delete'], shownAsItIs: true },
  'image time': { untold: ['flip', 'cut', 'delete'] },
  diff: {},
  size: { depth: 'structure' },
  'cache-id': {},
  parent: {},
  'tar-split': { depth: 'structure', read: bytes => gunzipSync(bytes) },
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

const store = rotTests({ driver: 'overlay2', decided, choose: told => [...told, ...told, ...told] })

test('a layer that was repaired has the names of the damaged one, which is in the quarantine under them', async () => {
  const place = store()
    .classes.get('layer content')!
    .find(path => lstatSync(join(store().root, path)).size > 0 && lstatSync(join(store().root, path)).isFile())!
  const directory = place.split('/').slice(0, 2).join('/')
  const root = store().damaged(place, { cut: 0 })
  const names = () =>
    ['link', 'lower', 'committed'].map(name => {
      const path = join(root, directory, name)
      return existsSync(path) ? readFileSync(path, 'utf8') : undefined
    })
  const before = names()
  const opened = await Store.open(root, { workers: 0, durability: 'none' })
  const { findings } = await opened.repair({ from: store().archive })
  await opened.close()
  assert.deepEqual(findings, [])
  assert.deepEqual(names(), before)
  const kept = readdirSync(join(root, 'phyllo/quarantine')).filter(name => name.startsWith(directory.replace('/', '!')))
  assert.equal(kept.length, 1)
  assert.equal(readFileSync(join(root, 'phyllo/quarantine', kept[0]!, place.slice(directory.length))).length, 0)
})
