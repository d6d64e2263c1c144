import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goQuote, sprintf } from '../../../src/cli/format/go-printf.js'

/** All observed with `{{printf …}}` of docker 20.10.24. */
const observed: readonly (readonly [format: string, args: readonly unknown[], output: string])[] = [
  [
    '%s|%d|%v|%q|%5s|%-5s|%05d|%x',
    ['linux', 999, ['A=b', 'C=d e'], 'linux', 'linux', 'a', 42, 255],
    'linux|999|[A=b C=d e]|"linux"|linux|a    |00042|ff',
  ],
  ['%d %s %!', ['x', 3], '%!d(string=x) %!s(int=3) %!!(MISSING)'],
  ['%s', [], '%!s(MISSING)'],
  ['a', [1, 'b'], 'a%!(EXTRA int=1, string=b)'],
  ['%q', ['a\nb"<é\u200b'], '"a\\nb\\"<é\\u200b"'],
  ['%v %v', [null, true], '<nil> true'],
  [
    '%t %f %.2f %g %e %c %T %U %6.2f|%+d|% d|%08.3f',
    [true, 1.5, 2.345, 1e21, 1.0, 65, 1, 65, 6.54321, 5, 6, 6.54321],
    'true 1.500000 2.35 1e+21 1.000000e+00 A int U+0041   6.54|+5| 6|0006.543',
  ],
  ['%d', [['A=b', 'C=d e']], '[%!d(string=A=b) %!d(string=C=d e)]'],
  ['%s', [{ b: 'two', a: '1' }], 'map[a:1 b:two]'],
  ['%q', [['A=b', 'C=d e']], '["A=b" "C=d e"]'],
  ['%.2s|%.1q|%%|%3d%%', ['hello', 'xyz', 7], 'he|"x"|%|  7%'],
  ['%5s|%-5s|', ['é', 'é'], '    é|é    |'],
]

test('printf prints what Go prints', () => {
  for (const [format, args, output] of observed) assert.equal(sprintf(format, args), output, format)
})

test('numbers in other bases, signs and padding', () => {
  assert.equal(sprintf('%X %#x %o %b', [255, 255, 8, 5]), 'FF 0xff 10 101')
  assert.equal(sprintf('%d %+d %x', [-5, -5, -255]), '-5 -5 -ff')
  assert.equal(sprintf('%6d|%-6d|%06d|%.3d', [-42, -42, -42, 7]), '   -42|-42   |-00042|007')
  assert.equal(sprintf('%x %X', ['hi', 'hi']), '6869 6869')
  assert.equal(sprintf('%d', [2n ** 63n - 1n]), '9223372036854775807')
})

test('a format that ends in a percent sign, or has verbs that nobody knows', () => {
  assert.equal(sprintf('100%', []), '100%!(NOVERB)')
  assert.equal(sprintf('%z', [1]), '%!z(int=1)')
  assert.equal(sprintf('%s', [null]), '%!s(<nil>)')
  assert.equal(sprintf('%t', ['x']), '%!t(string=x)')
})

test('quoted strings are printable ASCII, letters and escapes', () => {
  assert.equal(goQuote('\x00\x07\x1b\x7f\t\\'), '"\\x00\\a\\x1b\\x7f\\t\\\\"')
  assert.equal(goQuote('日本 \u00a0\u{e0001}😀'), '"日本 \\u00a0\\U000e0001😀"')
})
