/** A program that has put a view in the place of `node:fs` before anybody asked for a statfs. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { createView } from '../../src/overlay/face/view.js'
import { layersOf } from '../build/memory-layer.js'

test('a view in the place of node:fs tells its statfs, with the fields of Node’s', t => {
  const { statfsSync } = fs
  t.after(() => Object.assign(fs, { statfsSync }))
  const expected = Object.keys(statfsSync('/'))
  const view = createView(layersOf({ f: '' }))
  let asked = 0
  const counted = (path: string) => {
    asked++
    return view.statfsSync(path)
  }
  Object.assign(fs, { statfsSync: counted })
  assert.deepEqual(Object.keys(fs.statfsSync('/')), expected)
  assert.equal(asked, 1)
})
