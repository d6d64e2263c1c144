/** docs/properties.md cannot rot: every property has its row, and every file of the row names the property. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { repoRoot } from '../build/repo.js'

const properties = 76

interface Row {
  readonly property: string
  readonly files: readonly string[]
}

function rowsOf(document: string): Row[] {
  return [...document.matchAll(/^\| (P-\d\d) \| .+ \| (.+) \|$/gm)].map(([, property, files]) => ({
    property: property!,
    files: [...files!.matchAll(/`([^`]+)`/g)].map(([, file]) => file!),
  }))
}

/** What is wrong with the rows, in words. */
function faults(rows: readonly Row[], textOf: (file: string) => string | undefined): string[] {
  return rows.flatMap(({ property, files }) => {
    if (files.length === 0) return [`${property} has no test`]
    return files.flatMap(file => {
      const text = textOf(file)
      if (text === undefined) return [`${property}: there is no ${file}`]
      return text.includes(property) ? [] : [`${property}: ${file} does not name it`]
    })
  })
}

function textOf(file: string): string | undefined {
  const path = join(repoRoot, file)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

test('every property has a row, and every test of a row is there and names it', () => {
  const rows = rowsOf(readFileSync(join(repoRoot, 'docs/properties.md'), 'utf8'))
  const wanted = Array.from({ length: properties }, (_, at) => `P-${String(at + 1).padStart(2, '0')}`)
  assert.deepEqual(
    rows.map(({ property }) => property),
    wanted,
  )
  assert.deepEqual(faults(rows, textOf), [])
})

test('a row without a test, one whose test is not there, and one that is not named are found', () => {
  const rows = rowsOf('| P-01 | a | none |\n| P-02 | b | `test/no.ts` |\n| P-03 | c | `test/x.ts`, `test/y.ts` |\n')
  assert.deepEqual(
    faults(rows, file => ({ 'test/x.ts': 'P-03: c', 'test/y.ts': 'P-04' })[file]),
    ['P-01 has no test', 'P-02: there is no test/no.ts', 'P-03: test/y.ts does not name it'],
  )
})
