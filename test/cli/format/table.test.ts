import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alignRows, alignText } from '../../../src/cli/format/table.js'

test('`docker images`: observed on docker 20.10.24', () => {
  const rows = [
    ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'],
    ['sz', '1000000', '139f2482f496', 'Less than a second ago', '1MB'],
    ['sz', '12345678', 'b2d009d3589c', '1 second ago', '12.3MB'],
  ]
  assert.equal(
    alignRows(rows),
    [
      'REPOSITORY   TAG        IMAGE ID       CREATED                  SIZE',
      'sz           1000000    139f2482f496   Less than a second ago   1MB',
      'sz           12345678   b2d009d3589c   1 second ago             12.3MB',
      '',
    ].join('\n'),
  )
})

test('`docker system df`: observed on docker 20.10.24', () => {
  const rows = [
    ['TYPE', 'TOTAL', 'ACTIVE', 'SIZE', 'RECLAIMABLE'],
    ['Images', '13', '0', '16.46MB', '16.46MB (100%)'],
    ['Local Volumes', '0', '0', '0B', '0B'],
  ]
  assert.equal(
    alignRows(rows),
    [
      'TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE',
      'Images          13        0         16.46MB   16.46MB (100%)',
      'Local Volumes   0         0         0B        0B',
      '',
    ].join('\n'),
  )
})

test('a column ends where a line has no cell in it', () => {
  const text = ['TAG\tq', '999700\tq', 'a\tbbbbbbbbbbbbbbbbb\tc', '999500\tq', ''].join('\n')
  assert.equal(
    alignText(text),
    ['TAG       q', '999700    q', 'a         bbbbbbbbbbbbbbbbb   c', '999500    q', ''].join('\n'),
  )
  // Of Go's package documentation: the cells of a column are those of neighbouring lines.
  assert.equal(alignText('aaaaaaaaaaaa\tb\nc\nd\te\n'), 'aaaaaaaaaaaa   b\nc\nd         e\n')
})

test('trailing tabs leave trailing spaces: observed on docker 20.10.24', () => {
  assert.equal(
    alignText('IMAGE ID\t  TAG\t\nb2d009d3589c\t  12345678\t\n'),
    'IMAGE ID         TAG        \nb2d009d3589c     12345678   \n',
  )
})

test('empty cells are as wide as the least', () => {
  assert.equal(alignText('SIZE\t\tTAG\n12.3MB\t\t1\n'), 'SIZE                TAG\n12.3MB              1\n')
})

test('width is counted in code points', () => {
  assert.equal(alignText('ééééééééééé\tx\n'), 'ééééééééééé   x\n')
  assert.equal(alignText('😀\tx\n'), `😀${' '.repeat(9)}x\n`)
})

test('what separates cells cannot hide in one', () => {
  assert.equal(alignRows([['a\tb\nc\vd\fe\rf', 'g']]), 'a b c d e f   g\n')
  assert.equal(alignRows([]), '')
  assert.equal(alignRows([[]]), '\n')
  assert.equal(alignText(''), '')
  assert.equal(alignText('a\tb'), 'a         b')
})

test('many rows and columns take time linear in their cells', () => {
  const rows = Array.from({ length: 20_000 }, (_, index) => Array.from({ length: index % 2 === 0 ? 20 : 1 }, () => 'x'))
  assert.equal(alignRows(rows).split('\n').length, 20_001)
  // A matrix of lines and columns would have 10^10 cells.
  const comb = `${'\t'.repeat(100_000)}\n${'x\n'.repeat(100_000)}`
  assert.equal(alignText(comb).length, 1_000_001 + 200_000)
})
