/** Names are sorted by their bytes, whatever they have in common. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ByteString } from '../../src/byte-string.js'
import { sortByName } from '../../src/layerfile/name-sort.js'
import { NameTable } from '../../src/tar/tree/name-table.js'

function sorted(names: readonly string[]): string[] {
  const table = new NameTable()
  const rows = Uint32Array.from(names, name => table.findOrAdd(0, name as ByteString))
  sortByName(table, rows, 0, rows.length)
  return Array.from(rows, row =>
    table.names.bytes.toString('latin1', table.nameOffset[row]!, table.nameOffset[row]! + table.nameLength[row]!),
  )
}

const byteOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))

test('as Buffer.compare orders them', () => {
  const bytes = fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(1, 97, 255))
  const name = fc.array(bytes, { minLength: 1, maxLength: 20 }).map(all => Buffer.from(all).toString('latin1'))
  const prefixed = fc.tuple(fc.constantFrom('', 'a'.repeat(7), 'a'.repeat(200)), name).map(parts => parts.join(''))
  fc.assert(
    fc.property(fc.uniqueArray(prefixed, { minLength: 1, maxLength: 300, size: 'max' }), names => {
      assert.deepEqual(sorted(names), [...names].sort(byteOrder))
    }),
  )
})

test('H6 long common prefixes and orders made to be slow', () => {
  const prefix = 'p'.repeat(240)
  const up = Array.from({ length: 20_000 }, (_, i) => prefix + String(i).padStart(8, '0'))
  assert.deepEqual(sorted(up), up)
  assert.deepEqual(sorted([...up].reverse()), up)
  const nested = Array.from({ length: 255 }, (_, i) => 'a'.repeat(i + 1))
  assert.deepEqual(sorted([...nested].reverse()), nested)
})
