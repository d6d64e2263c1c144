/** Snapshots of real uppers: the tree and the contents of one moment, whatever is done afterwards. Needs root. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ByteString } from '../../../src/byte-string.js'
import type { Upper, UpperNode, UpperSnapshot } from '../../../src/drivers/upper.js'
import { applyNaively, type Flat, flatten, withLayer } from '../../build/commit-run.js'
import { DirectoryContainer } from '../../build/directory-container.js'
import { directoryUpper, possibleStep } from '../../build/directory-upper.js'
import { inDirectory } from '../../build/in-directory.js'
import { memoryUpper, plainRoot } from '../../build/memory-upper.js'
import { systemCalls } from '../../build/real-tree.js'
import { bytesAt, toldByModel, toldBySnapshot } from '../../build/told-snapshot.js'
import { dumpUnion } from '../../build/union-dump.js'
import { runAll } from '../../build/union-run.js'
import { freshSeed, sequence as operationsOf } from '../../build/union-sequence.js'
import { nextStep, randomOf, take } from '../../build/upper-sequence.js'

const firstSeed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const calls = await systemCalls()

interface Taken {
  readonly snapshot: UpperSnapshot
  readonly wanted: ReadonlyMap<string, unknown>
}

for (let round = 0; round < 12; round++) {
  const seed = firstSeed + round
  test(
    `what snapshots tell is what there was, under changes and other snapshots (seed ${seed})`,
    inDirectory(directory => sequence(seed, directory)),
  )
}

async function sequence(seed: number, directory: string): Promise<void> {
  const random = randomOf(seed)
  const model = memoryUpper()
  const upper = await directoryUpper(join(directory, 'upper'), { calls })
  // What was made keeps the time at which it was read; the rest of a tree is the model's
  model.setAttributes(model.root, { ctime: upper.root.ctime, birthtime: upper.root.birthtime })
  const open: [number[], number[]] = [[], []]
  const taken: Taken[] = []
  const end = ({ snapshot, wanted }: Taken, at: number) => {
    assert.deepEqual(toldBySnapshot(snapshot), wanted, `step ${at}`)
    snapshot[Symbol.dispose]()
    snapshot[Symbol.dispose]()
  }
  for (let at = 0; at < 150; at++) {
    const step = possibleStep(model, nextStep(random, model, open[0], at))
    if (step === undefined) continue
    if (step.do === 'write' && random(3) === 0) await upper.copyKept(upper.node(step.id))
    take(model, step, open[0])
    take(upper, step, open[1])
    if (random(12) === 0 && taken.length < 4) taken.push({ snapshot: upper.snapshot(), wanted: toldByModel(model) })
    if (random(16) === 0 && taken.length > 0) end(taken.splice(random(taken.length), 1)[0]!, at)
  }
  for (const each of taken) end(each, 150)
  assert.deepEqual(toldByModel(upper), toldByModel(model))
  await upper.close()
  const again = await directoryUpper(join(directory, 'upper'), { calls })
  assert.deepEqual(fs.readdirSync(join(directory, 'upper/work/phyllo')), [])
  await again.close()
}

function write(upper: Upper, name: string, bytes: string): UpperNode {
  return upper.atomically(() => {
    const node = upper.create({ ...plainRoot, mode: 0o100644 })
    upper.place(upper.root, name as ByteString, node)
    upper.release(node)
    upper.writeSync(node, 0, Buffer.from(bytes))
    return node
  })
}

test(
  'a content that a job is reading stays what it was; names of one file stay names of one file',
  inDirectory(async directory => {
    const upper = await directoryUpper(join(directory, 'upper'), { calls })
    const node = write(upper, 'f', 'old')
    upper.place(upper.root, 'g' as ByteString, node)
    const snapshot = upper.snapshot()
    const place = snapshot.place(node.id)
    const reader = fs.openSync(place.file, 'r')
    assert.ok(upper.isKept(node))
    await upper.copyKept(node)
    assert.ok(!upper.isKept(node))
    upper.writeSync(node, 0, Buffer.from('new'))
    const read = Buffer.alloc(3)
    fs.readSync(reader, read, 0, 3, 0)
    fs.closeSync(reader)
    assert.deepEqual([read.toString(), bytesAt(place).toString()], ['old', 'old'])
    const [f, g] = ['f', 'g'].map(name => fs.statSync(join(directory, 'upper/diff', name)))
    assert.deepEqual([f!.ino, f!.nlink, fs.readFileSync(join(directory, 'upper/diff/g'), 'latin1')], [g!.ino, 2, 'new'])
    snapshot[Symbol.dispose]()
    await upper.close()
  }),
)

test('commits of 40 containers of real directories hold what they show', async () => {
  const seed = freshSeed()
  const byPath = (flat: Flat) => Object.fromEntries([...flat].sort(([a], [b]) => (a < b ? -1 : 1)))
  for (let at = seed; at < seed + 40; at++)
    await inDirectory(async directory => {
      const { layers, ops } = operationsOf(at, 60)
      const directoryRename = at % 2 === 0 ? 'copy' : 'exdev'
      await using box = await DirectoryContainer.make(join(directory, 'box'), calls, layers, { directoryRename })
      const before = dumpUnion(box.union)
      runAll(box.union, ops)
      const after = dumpUnion(box.union)
      await withLayer(box.union, committed => {
        const applied = committed === undefined ? flatten(before) : applyNaively(flatten(before), committed.tar)
        assert.deepEqual(byPath(applied), byPath(flatten(after)), `seed ${at}`)
      })
    })()
})
