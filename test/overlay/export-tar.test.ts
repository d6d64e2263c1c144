/** The merged tree as one tar: every entry, by value, as the view shows it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exportStream, exportTar } from '../../src/overlay/difference/export-tar.js'
import { Union } from '../../src/overlay/union/union.js'
import { applyNaively, flatten, linkGroups, withoutSockets } from '../build/commit-run.js'
import { layersOf } from '../build/memory-layer.js'
import { memoryUpper } from '../build/memory-upper.js'
import { scan } from '../build/scan.js'
import { dumpUnion } from '../build/union-dump.js'
import { layerOf, rootOf, runAll, unionOf } from '../build/union-run.js'
import { sequence } from '../build/union-sequence.js'

async function exported(union: Union): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of exportTar(union)) pieces.push(piece)
  return Buffer.concat(pieces)
}

const sorted = (flat: ReadonlyMap<string, unknown>) => [...flat].sort(([a], [b]) => (a < b ? -1 : 1))

test('40 random containers: applied to nothing, the export is the tree, hard links kept', async t => {
  const first = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 30))
  t.diagnostic(`PHYLLO_SEED=${first}`)
  for (let seed = first; seed < first + 40; seed++) {
    const { layers, ops } = sequence(seed, 30, 4)
    const union = unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename: 'copy' })
    runAll(union, ops)
    const tar = await exported(union)
    const flat = withoutSockets(flatten(dumpUnion(union)))
    assert.deepEqual(sorted(applyNaively(new Map(), tar)), sorted(flat), `seed ${seed}`)
    const linked = new Map<string, string>(
      scan(tar).flatMap(({ type, name, linkName }) => (type === 'hardlink' ? [[name, linkName]] : [])),
    )
    for (const group of linkGroups(dumpUnion(union))) {
      const [head, ...others] = group.split(' ').map(name => name.slice(1))
      if (!flat.has(`/${head}`)) continue
      const firstName = linked.get(others[0]!) ?? others[0]
      for (const name of [head!, ...others])
        assert.ok(name === firstName || linked.get(name) === firstName, `seed ${seed}`)
    }
    assert.deepEqual(await exported(union), tar, `seed ${seed}: twice`)
  }
})

test('contents of all sizes, in pieces', async () => {
  const sizes = [0, 1, 511, 512, 513, 65_536, 65_537, 1_048_576, 1_048_577, 3_000_000]
  const files = Object.fromEntries(
    sizes.map(size => [`f${String(size).padStart(7, '0')}`, Buffer.alloc(size, size % 251)]),
  )
  const union = new Union(layersOf(files), {})
  let most = 0
  const pieces: Buffer[] = []
  for await (const piece of exportStream(union) as AsyncIterable<Buffer>) {
    most = Math.max(most, piece.length)
    pieces.push(piece)
  }
  const tar = Buffer.concat(pieces)
  assert.ok(most < 4 << 20, `${most} bytes in one piece`)
  for (const { name, sizeBytes, contentOffset } of scan(tar))
    assert.ok(tar.subarray(contentOffset, contentOffset + sizeBytes).equals(files[name]!), name)
  assert.equal(scan(tar).length, sizes.length)
})

test('a view without layers is an empty archive', async () => {
  assert.deepEqual(await exported(new Union([], {})), Buffer.alloc(1024))
})
