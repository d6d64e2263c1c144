import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ByteString } from '../../src/byte-string.js'
import { defaultLimits } from '../../src/limits.js'
import { normalizeName } from '../../src/tar/name.js'
import { checkParents, classifyName } from '../../src/tar/whiteout.js'
import { refusal } from '../build/scan.js'

const classify = (base: string): unknown => classifyName(base as ByteString)
const code = (base: string): string => refusal(() => classify(base)).code
const parents = (name: string): void => checkParents(normalizeName(name as ByteString, defaultLimits))

test('B1 .wh.. would hide its own directory', () => {
  assert.equal(code('.wh..'), 'WHITEOUT_INVALID')
})

test('B2 .wh... would hide its parent', () => {
  assert.equal(code('.wh...'), 'WHITEOUT_INVALID')
})

test('B3 .wh. hides nothing', () => {
  assert.equal(code('.wh.'), 'WHITEOUT_INVALID')
})

test('B4 AUFS metadata is refused, the opaque mark is not', () => {
  for (const base of ['.wh..wh.x', '.wh..wh.aufs', '.wh..wh.plnk', '.wh..wh.', '.wh..wh..opq.', '.wh..wh..op'])
    assert.equal(code(base), 'WHITEOUT_INVALID', base)
  assert.deepEqual(classify('.wh..wh..opq'), { kind: 'opaque' })
  assert.equal(refusal(() => parents('.wh..wh.plnk/1.2')).code, 'WHITEOUT_INVALID')
})

test('B5 a whiteout is no directory', () => {
  for (const name of ['.wh.etc/x', 'a/.wh.etc/x', 'a/.wh.b/.wh.c', '.wh..wh..opq/x'])
    assert.equal(refusal(() => parents(name)).code, 'WHITEOUT_INVALID', name)
  for (const name of ['.wh.etc', 'a/.wh.etc', 'a/.wh.etc/', 'a/.wh/b', 'a/x.wh.y/b', '/']) parents(name)
})

test('B10 T11 T19 plain whiteouts, and names that only look like one', () => {
  assert.deepEqual(classify('.wh.nothing'), { kind: 'whiteout', name: 'nothing' })
  assert.deepEqual(classify('.wh..hidden'), { kind: 'whiteout', name: '.hidden' })
  assert.deepEqual(classify('.wh....'), { kind: 'whiteout', name: '...' })
  assert.deepEqual(classify('.wh.wh.'), { kind: 'whiteout', name: 'wh.' })
  assert.deepEqual(classify('.wh.\xff'), { kind: 'whiteout', name: '\xff' })
  for (const base of ['.wh', '.whatever', 'wh.x', 'x.wh.y', '.WH.x', '..wh.x'])
    assert.deepEqual(classify(base), { kind: 'plain' }, base)
})
