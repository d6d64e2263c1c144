/** Fixed scenarios that have been wrong elsewhere, each with what the kernel does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ByteString } from '../../src/byte-string.js'
import { memoryUpper } from '../build/memory-upper.js'
import { dumpUnion, dumpUpper } from '../build/union-dump.js'
import { layerOf, outcomeOf, rootOf, unionOf } from '../build/union-run.js'
import type { Op, TreeNode, TreeNodes } from '../build/union-sequence.js'

const file: TreeNode = { t: 'f', mode: 0o644, data: 'x' }
const dir = (children: TreeNodes = {}): TreeNode => ({ t: 'd', mode: 0o755, children })

/** Names of the merged tree, and of the upper with `!` behind whiteouts and `@` behind opaque directories. */
function shown(tree: TreeNodes, at = ''): string[] {
  return Object.entries(tree).flatMap(([name, node]) => {
    const mark = node.t === 'w' ? '!' : node.opaque ? '@' : ''
    return [`${at}${name}${mark}`, ...shown(node.children ?? {}, `${at}${name}/`)]
  })
}

function play(layers: readonly TreeNodes[], ops: readonly Op[], directoryRename: 'copy' | 'exdev' = 'exdev') {
  const union = unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename })
  const outcomes = ops.map(op => (outcomeOf(union, op) as { errno?: string } | null)?.errno ?? 'ok')
  return { outcomes, view: shown(dumpUnion(union)), upper: shown(dumpUpper(union).children!), union }
}

test('removing a tree of the layers leaves one whiteout (C-07)', () => {
  const { outcomes, view, upper } = play(
    [{ a: dir({ b: dir({ c: file }) }) }],
    [
      ['unlink', '/a/b/c'],
      ['rmdir', '/a/b'],
      ['rmdir', '/a'],
    ],
  )
  assert.deepEqual(outcomes, ['ok', 'ok', 'ok'])
  assert.deepEqual([view, upper], [[], ['a!']])
})

test('a directory made where one was removed shows nothing of it (C-19, R-OP-6)', () => {
  const { view, upper } = play(
    [{ a: dir({ b: file }) }],
    [
      ['unlink', '/a/b'],
      ['rmdir', '/a'],
      ['mkdir', '/a', 0o755],
    ],
  )
  assert.deepEqual([view, upper], [['a'], ['a@']])
})

test('what was moved into a new directory and removed there leaves nothing (C-16)', () => {
  const { view, upper } = play(
    [{ f: file }],
    [
      ['mkdir', '/n', 0o755],
      ['rename', '/f', '/n/f', ''],
      ['unlink', '/n/f'],
    ],
  )
  assert.deepEqual([view, upper], [['n'], ['f!', 'n@']])
})

test('RENAME_NOREPLACE onto a whiteout succeeds and leaves one behind (C-13)', () => {
  const { outcomes, view, upper } = play(
    [{ a: file, b: file }],
    [
      ['unlink', '/b'],
      ['rename', '/a', '/b', 'noreplace'],
    ],
  )
  assert.deepEqual(outcomes, ['ok', 'ok'])
  assert.deepEqual([view, upper], [['b'], ['a!', 'b']])
})

test('two names of one file of the upper stay two when one is renamed to the other, those of a layer do not (R-HL-4)', () => {
  const layers = [{ a: file, b: { t: 'f', link: 'a' } as const }]
  assert.deepEqual(play(layers, [['rename', '/a', '/b', '']]).view, ['b'])
  const linked: Op[] = [
    ['link', '/a', '/c'],
    ['rename', '/a', '/c', ''],
  ]
  assert.deepEqual(play(layers, linked).view, ['a', 'b', 'c'])
})

test('a directory cannot be renamed into itself through a symlink (C-11)', () => {
  const layers = [{ d: dir({ e: dir() }), s: { t: 'l', target: 'd/e' } as const }]
  assert.deepEqual(play(layers, [['rename', '/d', '/s/x', '']], 'copy').outcomes, ['EINVAL'])
})

test('removing what a lower layer had removed already leaves nothing (R-WH-6)', () => {
  const { upper } = play(
    [{ a: file }, { a: { t: 'w' } }],
    [
      ['mkdir', '/a', 0o755],
      ['rmdir', '/a'],
    ],
  )
  assert.deepEqual(upper, [])
})

test('a renamed directory shows what it showed, without a byte copied, and its old name is hidden', () => {
  const { view, upper, union } = play([{ d: dir({ e: dir({ f: file }) }) }], [['rename', '/d', '/n', '']], 'copy')
  assert.deepEqual(
    [view, upper],
    [
      ['n', 'n/e', 'n/e/f'],
      ['d!', 'n'],
    ],
  )
  assert.equal(union.upper!.usedBytes, 0)
})

test('a new name of a file of the layers is one file with the old one (R-HL-3)', () => {
  const { union } = play(
    [{ a: file }],
    [
      ['link', '/a', '/b'],
      ['truncate', '/b', 0],
    ],
  )
  const { a, b } = dumpUnion(union)
  assert.deepEqual([a!.data, b!.data, a!.nlink, a!.group === b!.group], ['', '', 2, true])
})

test('what is no device has no device number, whatever mknod is given', () => {
  const { union } = play(
    [{}],
    [
      ['mknod', '/socket', 0o140644, 1, 3],
      ['mknod', '/fifo', 0o010644, 1, 3],
      ['mknod', '/file', 0o100644, 1, 3],
      ['mknod', '/block', 0o060644, 1, 3],
    ],
  )
  const numbers = ['socket', 'fifo', 'file', 'block'].map(name => {
    const id = union.upper!.lookup(0, name as ByteString)
    const { deviceMajor, deviceMinor } = union.upper!.node(id)
    return [deviceMajor, deviceMinor]
  })
  assert.deepEqual(numbers, [
    [0, 0],
    [0, 0],
    [0, 0],
    [1, 3],
  ])
})
