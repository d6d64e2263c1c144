import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseBase256, parseDecimal, parseNumber, parseOctal, parseTime } from '../../src/tar/numbers.js'
import { base256, octal } from '../build/tar.js'

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

test('octal fields: the grammar', () => {
  const table: readonly [string, number][] = [
    ['0000644\0', 0o644],
    ['000644 \0', 0o644],
    ['   644 \0', 0o644],
    ['644\0\0\0\0\0', 0o644],
    ['0\0 \0 \0 \0', 0],
    ['7777777\0', 0o7777777],
    ['0000648\0', Number.NaN],
    ['00006440', Number.NaN],
    ['-000644\0', Number.NaN],
    ['+000644\0', Number.NaN],
    ['000 644\0', Number.NaN],
    ['644\x00644\0', Number.NaN],
    ['0x644\0\0\0', Number.NaN],
    ['\x00644\0\0\0\0', Number.NaN],
    ['        ', Number.NaN],
    ['\0\0\0\0\0\0\0\0', Number.NaN],
    ['000064g\0', Number.NaN],
  ]
  for (const [field, value] of table)
    assert.equal(parseOctal(latin1(`##${field}##`), 2, 8), value, JSON.stringify(field))
})

test('an unterminated octal field is a number only where the caller allows it', () => {
  assert.equal(parseOctal(latin1('777777777777'), 0, 12), Number.NaN)
  assert.equal(parseOctal(latin1('777777777777'), 0, 12, true), 8 ** 12 - 1)
  assert.equal(parseOctal(latin1('7777777777 7'), 0, 12, true), Number.NaN)
})

test('base-256: both signs, and lead bytes that no reader agrees on', () => {
  const table: readonly [number[], number][] = [
    [[0x80, 0, 0, 0, 0, 0, 0, 0], 0],
    [[0x80, 0, 0, 0, 0, 0x1e, 0x84, 0x80], 2_000_000],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], -1],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00], -256],
    [[0x81, 0, 0, 0, 0, 0, 0, 0], Number.NaN],
    [[0xc0, 0, 0, 0, 0, 0, 0, 0], Number.NaN],
    [[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Number.NaN],
  ]
  for (const [bytes, value] of table) assert.equal(parseBase256(Uint8Array.from(bytes), 0, 8), value, String(bytes))
  assert.ok(!Number.isSafeInteger(parseBase256(base256(2n ** 63n, 12), 0, 12)))
  assert.ok(!Number.isSafeInteger(parseBase256(base256(2n ** 53n + 1n, 12), 0, 12)))
})

test('what an honest writer writes is read back, in either form', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8 ** 11 - 1 }), fc.boolean(), (value, binary) => {
      assert.equal(parseNumber(binary ? base256(value, 12) : octal(value, 12), 0, 12), value)
    }),
  )
  fc.assert(
    fc.property(fc.maxSafeInteger(), value => {
      assert.equal(parseNumber(base256(value, 12), 0, 12), value)
    }),
  )
})

test('decimals: digits alone', () => {
  const parse = (text: string): number => parseDecimal(latin1(text), 0, text.length)
  assert.equal(parse('0'), 0)
  assert.equal(parse('12345'), 12345)
  assert.equal(parse('007'), 7)
  for (const text of ['', '-1', '+1', '1e3', '0x10', '1.0', ' 1', '1 ', '1_0', '\u0661'])
    assert.equal(parse(text), Number.NaN, text)
  assert.ok(!Number.isSafeInteger(parse('9007199254740993')))
})

test('C13 times: NaN, 1e300, -1, 2^63, 1.9999999999, empty', () => {
  const table: readonly [string, readonly [number, number] | undefined][] = [
    ['0', [0, 0]],
    ['1700000000', [1_700_000_000, 0]],
    ['1700000000.', [1_700_000_000, 0]],
    ['1350244992.023960108', [1_350_244_992, 23_960_108]],
    ['1.5', [1, 500_000_000]],
    ['1.9999999999', [1, 999_999_999]],
    ['-1', [-1, 0]],
    ['-0.5', [-1, 500_000_000]],
    ['-1.25', [-2, 750_000_000]],
    ['-0', [0, 0]],
    ['8589934591.5', [8_589_934_591, 500_000_000]],
    ['8589934592', [8_589_934_591, 0]],
    ['9223372036854775807', [8_589_934_591, 0]],
    ['-8589934592', [-8_589_934_592, 0]],
    ['-8589934593', [-8_589_934_592, 0]],
    ['-9223372036854775808', [-8_589_934_592, 0]],
    ['9223372036854775808', undefined],
    ['-9223372036854775809', undefined],
    ['99999999999999999999999', undefined],
    [`1.${'9'.repeat(200)}`, undefined],
    ['', undefined],
    ['NaN', undefined],
    ['inf', undefined],
    ['1e300', undefined],
    ['1e5', undefined],
    ['.5', undefined],
    ['+1', undefined],
    ['1.5.5', undefined],
    ['1.-5', undefined],
    ['--1', undefined],
    [' 1', undefined],
    ['1\n', undefined],
  ]
  for (const [text, expected] of table) {
    const time = parseTime(latin1(`##${text}##`), 2, 2 + text.length)
    assert.deepEqual(time === undefined ? undefined : [time.sec + 0, time.nsec], expected, JSON.stringify(text))
  }
})
