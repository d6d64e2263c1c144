import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathMatch } from '../../src/images/path-match.js'

/** Rows of Go's own path/match_test.go: pattern, text, match. */
const rows: readonly [string, string, boolean][] = [
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*', 'abc', true],
  ['a*', 'ab/c', false],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^b-d]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'ab', false],
  ['a?b', 'a☺b', true],
  ['a[^a]b', 'a☺b', true],
  ['a???b', 'a☺b', false],
  ['[a-ζ]*', 'α', true],
  ['*[a-ζ]', 'A', false],
  ['a?b', 'a/b', false],
  ['a*b', 'a/b', false],
  ['[\\]a]', ']', true],
  ['[\\-]', '-', true],
  ['[x\\-]', 'x', true],
  ['[x\\-]', '-', true],
  ['[x\\-]', 'z', false],
  ['[\\-x]', 'a', false],
  ['*x', 'xxx', true],
]

test('patterns match as Go’s path.Match does', () => {
  for (const [pattern, text, match] of rows) assert.equal(pathMatch(pattern, text), match, `${pattern} ${text}`)
})

test('malformed patterns are refused', () => {
  for (const pattern of ['[', '[^', '[^bc', 'a[', 'a\\', '[]'])
    assert.throws(() => pathMatch(pattern, 'a'), TypeError, pattern)
})

test('H7 many stars take no exponential time', () => {
  assert.equal(pathMatch('*a'.repeat(200), 'a'.repeat(20_000)), true)
  assert.equal(pathMatch(`${'*a'.repeat(200)}b`, 'a'.repeat(20_000)), false)
})
