import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ByteString, fromText } from '../../src/byte-string.js'
import { defaultLimits } from '../../src/limits.js'
import { checkNameLimits, isRoot, normalizeName } from '../../src/tar/name.js'
import { refusal } from '../build/scan.js'

const path = (name: string): string => normalizeName(fromText(name), defaultLimits).join('|')
const code = (name: string): string => refusal(() => normalizeName(fromText(name), defaultLimits)).code

test('A1 names that climb above the root are refused', () => {
  for (const name of [
    '../victim/x',
    'a/../../victim/x',
    '..',
    '../',
    '/../victim/x',
    './../x',
    'a/b/../../../c',
    '//..',
  ])
    assert.equal(code(name), 'PATH_ESCAPE', name)
})

test('A2 absolute and dotted names count from the root', () => {
  for (const name of [
    '/abs/x',
    '//abs/x',
    '////abs/x',
    './abs/x',
    './/abs/x',
    '././abs/x',
    'abs//x',
    'abs/./x',
    'abs/x/',
  ])
    assert.equal(path(name), 'abs|x', name)
})

test('A7 D28 the root itself has no components, the empty name is none', () => {
  for (const name of ['/', '.', './', '//', '/./', 'a/..', './a/../'])
    assert.ok(isRoot(normalizeName(fromText(name), defaultLimits)), name)
  assert.equal(code(''), 'TAR_INVALID')
})

test('D30 names of one path are one path', () => {
  for (const name of ['a', './a', 'a/', '/a', 'b/../a', './b/.././a//']) assert.equal(path(name), 'a', name)
})

test('T11 names that only look like something', () => {
  assert.equal(path('..data/...'), '..data|...')
  assert.equal(path('a..b/.wh'), 'a..b|.wh')
  assert.equal(path('-rf/~/\n'), '-rf|~|\n')
  assert.equal(path('C:\\x/con'), 'C:\\x|con')
  assert.equal(normalizeName('\xff/\xfe' as ByteString, defaultLimits).join('|'), '\xff|\xfe')
})

test('H2 T11 bounds of depth, path and component', () => {
  const limit = (name: string): unknown => refusal(() => normalizeName(name as ByteString, defaultLimits)).limit
  const wide = 'w'.repeat(255)
  assert.equal(path(wide), wide)
  assert.equal(limit(`${wide}w`), 'nameBytes')
  assert.equal(limit(`a/${wide}w/b`), 'nameBytes')
  assert.equal(normalizeName('d/'.repeat(1024) as ByteString, defaultLimits).length, 1024)
  assert.equal(limit('d/'.repeat(1025)), 'pathDepth')
  const long = `${wide}/`.repeat(15) + wide
  assert.equal(long.length, 4095)
  assert.equal(path(`./${long}/`).length, 4095)
  assert.equal(limit(`${long.slice(0, -1)}/x`), 'pathBytes')
  assert.equal(limit('d/'.repeat(4000)), 'pathDepth')
  assert.equal(refusal(() => checkNameLimits(`${wide}w` as ByteString, defaultLimits)).code, 'LIMIT_EXCEEDED')
  checkNameLimits(`./${long}/` as ByteString, defaultLimits)
})

/** POSIX path resolution without symlinks, written another way. */
function naive(name: string): string[] | undefined {
  const stack: string[] = []
  for (const match of name.matchAll(/[^/]+/g)) {
    if (match[0] === '.') continue
    if (match[0] === '..') {
      if (stack.pop() === undefined) return undefined
    } else stack.push(match[0])
  }
  return stack
}

test('any name gives what walking it gives', () => {
  const part = fc.constantFrom('a', 'b', '.', '..', '', '...', '..a')
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 9 }), parts => {
      const name = parts.join('/')
      if (name === '') return
      const expected = naive(name)
      if (expected === undefined) assert.equal(code(name), 'PATH_ESCAPE')
      else assert.deepEqual(normalizeName(name as ByteString, defaultLimits), expected)
    }),
  )
})
