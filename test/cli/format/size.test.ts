import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatE, formatF, formatG, formatShortest } from '../../../src/cli/format/go-number.js'
import { humanSize } from '../../../src/cli/format/size.js'

test('three digits: observed in `docker images` of docker 20.10.24', () => {
  const observed: readonly (readonly [number, string])[] = [
    [0, '0B'],
    [1, '1B'],
    [999, '999B'],
    [1000, '1kB'],
    [1050, '1.05kB'],
    [1125, '1.12kB'],
    [1375, '1.38kB'],
    [112_500, '112kB'],
    [999_499, '999kB'],
    [999_500, '1e+03kB'],
    [999_700, '1e+03kB'],
    [1_000_000, '1MB'],
    [12_345_678, '12.3MB'],
  ]
  for (const [bytes, text] of observed) assert.equal(humanSize(bytes, 3), text)
})

test('four digits: observed in `docker system df -v` of docker 20.10.24', () => {
  const observed: readonly (readonly [number, string])[] = [
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [1050, '1.05kB'],
    [1125, '1.125kB'],
    [112_500, '112.5kB'],
    [999_500, '999.5kB'],
    [999_700, '999.7kB'],
    [12_345_678, '12.35MB'],
  ]
  for (const [bytes, text] of observed) assert.equal(humanSize(bytes), text)
})

test('large sizes and bigints; beyond YB the number grows', () => {
  assert.equal(humanSize(1_169_249_792, 3), '1.17GB')
  assert.equal(humanSize(2n ** 63n - 1n, 3), '9.22EB')
  assert.equal(humanSize(1e27, 3), '1e+03YB')
})

test('%g, %e and %f round halves of the exact value to even, as C and Go do', () => {
  // Values of POSIX printf(1).
  assert.equal(formatG(1.125, 3), '1.12')
  assert.equal(formatG(1.375, 3), '1.38')
  assert.equal(formatG(0.0001234, 2), '0.00012')
  assert.equal(formatG(0.00001234, 2), '1.2e-05')
  assert.equal(formatG(123456, 3), '1.23e+05')
  assert.equal(formatG(0, 3), '0')
  assert.equal(formatG(-1.5, 3), '-1.5')
  assert.equal(formatG(100, 1), '1e+02')
  assert.equal(formatF(0.25, 1), '0.2')
  assert.equal(formatF(0.35, 1), '0.3')
  assert.equal(formatF(0.75, 1), '0.8')
  assert.equal(formatF(0.5, 0), '0')
  assert.equal(formatF(1.5, 0), '2')
  assert.equal(formatF(0.004, 2), '0.00')
  assert.equal(formatF(0.006, 2), '0.01')
  assert.equal(formatF(0.04, 0), '0')
  assert.equal(formatF(999.999, 2), '1000.00')
  assert.equal(formatF(2.345, 2), '2.35')
  assert.equal(formatF(1e21, 1), '1000000000000000000000.0')
  assert.equal(formatF(-6.54321, 3), '-6.543')
  assert.equal(formatE(1, 6), '1.000000e+00')
  assert.equal(formatE(9.9999, 2), '1.00e+01')
  assert.equal(formatE(1e-300, 0), '1e-300')
})

test('the shortest form changes to an exponent at 1e21 and below 1e-4', () => {
  for (const [value, text] of [
    [1.5, '1.5'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [-2.5e-7, '-2.5e-07'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
  ] as const) {
    assert.equal(formatShortest(value), text)
  }
})
