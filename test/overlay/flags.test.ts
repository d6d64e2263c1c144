/** Spellings of open flags: those that the running Node takes, and no others. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { flagsArgument } from '../../src/overlay/union/arguments.js'

function words(letters: readonly string[], length: number): string[] {
  if (length === 0) return ['']
  return words(letters, length - 1).flatMap(word => letters.map(letter => word + letter))
}

const codeOf = (call: () => unknown): string | undefined => {
  try {
    call()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  }
}

test('every word of these letters is taken or refused as by Node', () => {
  const all = [0, 1, 2, 3, 4].flatMap(length => words(['r', 'w', 'a', 's', 'x', '+'], length))
  const taken = all.filter(word => codeOf(() => fs.openSync('', word)) === 'ENOENT')
  assert.ok(taken.length >= 20, `${taken}`)
  assert.deepEqual(
    all.filter(word => codeOf(() => flagsArgument(word)) === undefined),
    taken,
  )
})

test('what the spellings mean', () => {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_TRUNC, O_SYNC } = fs.constants
  const bits = (word: string) => flagsArgument(word)
  assert.deepEqual(['r', 'r+', 'rs', 'sr+'].map(bits), [O_RDONLY, O_RDWR, O_SYNC, O_RDWR | O_SYNC])
  assert.deepEqual(['w', 'w+'].map(bits), [O_WRONLY | O_CREAT | O_TRUNC, O_RDWR | O_CREAT | O_TRUNC])
  assert.deepEqual(['wx', 'xw'].map(bits), Array(2).fill(O_WRONLY | O_CREAT | O_TRUNC | O_EXCL))
  assert.deepEqual(['wx+', 'xw+'].map(bits), Array(2).fill(O_RDWR | O_CREAT | O_TRUNC | O_EXCL))
  assert.deepEqual(['a', 'a+'].map(bits), [O_WRONLY | O_CREAT | O_APPEND, O_RDWR | O_CREAT | O_APPEND])
  assert.deepEqual(['ax', 'xa'].map(bits), Array(2).fill(O_WRONLY | O_CREAT | O_APPEND | O_EXCL))
  assert.deepEqual(['as', 'sa+'].map(bits), [
    O_WRONLY | O_CREAT | O_APPEND | O_SYNC,
    O_RDWR | O_CREAT | O_APPEND | O_SYNC,
  ])
})
