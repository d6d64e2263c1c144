/** What a container says that it has changed: docker's examples, and docker's algorithm over the two merged trees. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changes } from '../../src/overlay/difference/changes.js'
import { Union } from '../../src/overlay/union/union.js'
import { dockerChanges } from '../build/docker-changes.js'
import { memoryUpper } from '../build/memory-upper.js'
import { dir, file, gone } from '../build/tree-literals.js'
import { dumpUnion } from '../build/union-dump.js'
import { layerOf, rootOf, runAll, unionOf } from '../build/union-run.js'
import { type Op, sequence, type TreeNodes } from '../build/union-sequence.js'

type Style = 'docker' | 'minimal'

function listed(union: Union, style: Style): string[] {
  return [...changes(union, { style })].map(({ kind, path }) => `${kind} ${path}`)
}

interface Case {
  readonly name: string
  /** Base first. */
  readonly layers: readonly TreeNodes[]
  readonly ops: readonly Op[]
  readonly minimal: readonly string[]
  readonly docker?: readonly string[]
}

const create = (path: string, data = 'new'): Op => ['open', path, 'w+c', 0o644, data]
const rmD: readonly Op[] = [
  ['unlink', '/d/a'],
  ['rmdir', '/d'],
]
const withD = [{ d: dir({ a: file('a') }) }]

/** The rows of facts 3.5, and of the renames that a kernel does not do. */
const cases: readonly Case[] = [
  { name: 'rm f', layers: [{ f: file() }], ops: [['unlink', '/f']], minimal: ['D /f'] },
  { name: 'rm f; create f', layers: [{ f: file() }], ops: [['unlink', '/f'], create('/f')], minimal: ['C /f'] },
  {
    name: 'rm f; mkdir f',
    layers: [{ f: file() }],
    ops: [['unlink', '/f'], ['mkdir', '/f', 0o755], create('/f/n')],
    minimal: ['C /f', 'A /f/n'],
  },
  { name: 'rm -r d', layers: withD, ops: rmD, minimal: ['D /d'] },
  {
    name: 'rm -r d; mkdir d',
    layers: withD,
    ops: [...rmD, ['mkdir', '/d', 0o755]],
    minimal: ['D /d/a'],
    docker: ['C /d', 'D /d/a'],
  },
  {
    name: 'rm -r d; mkdir d; create d/a',
    layers: withD,
    ops: [...rmD, ['mkdir', '/d', 0o755], create('/d/a')],
    minimal: ['C /d/a'],
    docker: ['C /d', 'C /d/a'],
  },
  { name: 'rm -r d; create d', layers: withD, ops: [...rmD, create('/d')], minimal: ['C /d'] },
  {
    name: 'rm d/a',
    layers: withD,
    ops: [['unlink', '/d/a']],
    minimal: ['D /d/a'],
    docker: ['C /d', 'D /d/a'],
  },
  {
    name: 'mv f d/b',
    layers: [{ d: dir({ a: file() }), f: file() }],
    ops: [['rename', '/f', '/d/b']],
    minimal: ['A /d/b', 'D /f'],
    docker: ['C /d', 'A /d/b', 'D /f'],
  },
  {
    name: 'mv a b; rm b',
    layers: [{ a: file() }],
    ops: [
      ['rename', '/a', '/b'],
      ['unlink', '/b'],
    ],
    minimal: ['D /a'],
  },
  {
    name: 'mv a b; mv b a',
    layers: [{ a: file() }],
    ops: [
      ['rename', '/a', '/b'],
      ['rename', '/b', '/a'],
    ],
    minimal: [],
  },
  {
    name: 'mv a b, where both were',
    layers: [{ a: file('longer'), b: file('b') }],
    ops: [['rename', '/a', '/b']],
    minimal: ['D /a', 'C /b'],
  },
  {
    name: 'chmod a, which a layer in the middle has replaced',
    layers: [{ a: file('below') }, { a: file('middle') }, { c: file() }],
    ops: [['chmod', '/a', 0o600]],
    minimal: ['C /a'],
  },
  {
    name: 'mkdir over a whiteout of a middle layer',
    layers: [{ x: dir({ m: file() }) }, { x: gone }],
    ops: [['mkdir', '/x', 0o755]],
    minimal: ['A /x'],
  },
  {
    name: 'create and rm over a whiteout of a middle layer',
    layers: [{ x: dir() }, { x: gone }],
    ops: [create('/x'), ['unlink', '/x']],
    minimal: [],
  },
  {
    name: 'a file over a deeper directory becomes a directory',
    layers: [{ x: dir({ deep: file() }) }, { x: file() }],
    ops: [
      ['unlink', '/x'],
      ['mkdir', '/x', 0o755],
    ],
    minimal: ['C /x'],
  },
  {
    name: 'a symlink becomes a directory',
    layers: [{ l: { t: 'l', mtime: 1e9, target: 't' }, t: dir({ a: file() }) }],
    ops: [
      ['unlink', '/l'],
      ['mkdir', '/l', 0o755],
    ],
    minimal: ['C /l'],
  },
  {
    name: 'append to one of two hard links',
    layers: [{ a: file('a'), b: { t: 'f', link: 'a' } }],
    ops: [['open', '/a', 'w+a', 0, 'more']],
    minimal: ['C /a'],
  },
  {
    name: 'mv a b, hard links both',
    layers: [{ a: file('a'), b: { t: 'f', link: 'a' } }],
    ops: [
      ['unlink', '/b'],
      ['rename', '/a', '/b'],
    ],
    minimal: ['D /a'],
  },
  { name: 'chmod d', layers: [{ d: dir() }], ops: [['chmod', '/d', 0o700]], minimal: ['C /d'] },
  { name: 'create n; rm n', layers: [{}], ops: [create('/n'), ['unlink', '/n']], minimal: [] },
  {
    name: 'touch of a directory',
    layers: [withD[0]!],
    ops: [['utimes', '/d', 5e9, true]],
    minimal: [],
  },
  {
    name: 'an xattr: not for docker',
    layers: [{ f: file() }],
    ops: [['setxattr', '/f', 'user.k', 'v']],
    minimal: ['C /f'],
    docker: [],
  },
  {
    name: 'mv d e, with what is below',
    layers: [{ d: dir({ a: file(), s: dir({ x: file() }) }) }],
    ops: [['rename', '/d', '/e']],
    minimal: ['D /d', 'A /e', 'A /e/a', 'A /e/s', 'A /e/s/x'],
  },
  {
    name: 'mv d e, over an emptied e',
    layers: [{ d: dir({ a: file() }), e: dir({ b: file() }) }],
    ops: [
      ['unlink', '/e/b'],
      ['rename', '/d', '/e'],
    ],
    minimal: ['D /d', 'A /e/a', 'D /e/b'],
    docker: ['D /d', 'C /e', 'A /e/a', 'D /e/b'],
  },
]

for (const { name, layers, ops, minimal, docker = minimal } of cases)
  test(`facts 3.5: ${name}`, () => {
    const union = unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename: 'copy' })
    runAll(union, ops)
    assert.deepEqual(listed(union, 'minimal'), minimal)
    assert.deepEqual(listed(union, 'docker'), docker)
  })

test("P-52: 100 random sequences, listed as docker's two walks would", t => {
  const first = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 30))
  t.diagnostic(`PHYLLO_SEED=${first}`)
  let compared = 0
  for (let seed = first; seed < first + 100; seed++)
    for (const directoryRename of ['exdev', 'copy'] as const) {
      const { layers, ops } = sequence(seed, 40, 4)
      const lowers = layers.map(layerOf)
      const union = unionOf(lowers, memoryUpper(rootOf()), { directoryRename })
      runAll(union, ops)
      const expected = dockerChanges(dumpUnion(new Union(lowers, {})), dumpUnion(union))
      assert.deepEqual(listed(union, 'docker'), expected, `seed ${seed}, ${directoryRename}`)
      compared += expected.length
    }
  assert.ok(compared > 500, `${compared} changes`)
})

test('P-49: a union without an upper, and one in which all has only been copied up, have changed nothing', () => {
  const layers = [layerOf({ d: dir({ a: file('a'), s: dir() }), f: file() })]
  assert.deepEqual([...changes(new Union(layers, {}))], [])
  const union = unionOf(layers, memoryUpper(rootOf()))
  runAll(union, [
    ['open', '/d/a', 'w', 0, ''],
    ['open', '/f', 'rw', 0, ''],
  ])
  for (const style of ['docker', 'minimal'] as const) assert.deepEqual(listed(union, style), [])
})

test('only what was touched is looked at: a layer with many names costs nothing', () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`n${n}`, dir({ x: file() })]))
  const layer = layerOf({ many: dir(many) })
  const union = unionOf([layer], memoryUpper(rootOf()))
  runAll(union, [['unlink', '/many/n5/x']])
  const before = { ...layer.calls }
  assert.deepEqual(listed(union, 'docker'), ['C /many', 'C /many/n5', 'D /many/n5/x'])
  assert.equal(layer.calls.list, before.list)
  assert.ok(layer.calls.lookup - before.lookup < 20, `${layer.calls.lookup - before.lookup} lookups`)
})

test('many names over many layers: the layers are gone through once, and every name is judged by what is below it', () => {
  const layers = Array.from({ length: 101 }, (_, n) => {
    const names = Array.from({ length: 1000 }, (_, i) => i)
    if (n === 100) return layerOf({ d: dir(Object.fromEntries(names.slice(0, 100).map(i => [`f${i}`, gone]))) })
    return layerOf({
      d: dir(Object.fromEntries(names.filter(i => i < 500 && i % 100 === n).map(i => [`f${i}`, file('old')]))),
    })
  })
  const union = unionOf(layers, memoryUpper(rootOf()))
  const names = Array.from({ length: 1000 }, (_, i) => `/d/f${i}`)
  runAll(
    union,
    names.map(name => create(name)),
  )
  const lookups = () => layers.reduce((sum, { calls }) => sum + calls.lookup, 0)
  const before = lookups()
  const kind = (i: number) => (i >= 100 && i < 500 ? 'C' : 'A')
  assert.deepEqual(
    listed(union, 'minimal'),
    names.map((name, i) => `${kind(i)} ${name}`).sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1)),
  )
  assert.ok(lookups() - before < 1000, `${lookups() - before} lookups`)
})

test('names are bytes', () => {
  const union = unionOf([layerOf({})], memoryUpper(rootOf()))
  runAll(union, [create('/caf\u00e9')])
  const [change] = [...changes(union)]
  assert.equal(change!.pathBytes, '/caf\u00e9')
  assert.equal(change!.path, '/caf\ufffd')
})
