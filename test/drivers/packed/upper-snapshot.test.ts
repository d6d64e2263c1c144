/** Snapshots: the tree and the contents of one moment, whatever is done afterwards; and no file longer than somebody reads it. */
import assert from 'node:assert/strict'
import { copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ByteString } from '../../../src/byte-string.js'
import { openPackedUpper } from '../../../src/drivers/packed/open-upper.js'
import type { PackedUpper } from '../../../src/drivers/packed/packed-upper.js'
import { nodeUpperIo, type UpperIo } from '../../../src/drivers/packed/upper-io.js'
import type { Upper, UpperNode, UpperSnapshot } from '../../../src/drivers/upper.js'
import { loadChecksums } from '../../../src/layerfile/checksum.js'
import { inDirectory } from '../../build/in-directory.js'
import { memoryUpper, plainRoot } from '../../build/memory-upper.js'
import { packedUpper } from '../../build/packed-upper.js'
import { bytesAt, toldByModel, toldBySnapshot } from '../../build/told-snapshot.js'
import { nextStep, type Random, randomOf, take } from '../../build/upper-sequence.js'

const firstSeed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const checksums = await loadChecksums()
const options = { root: plainRoot, checksums }

interface Taken {
  readonly snapshot: UpperSnapshot
  readonly wanted: ReadonlyMap<string, unknown>
}

for (let round = 0; round < 12; round++) {
  const seed = firstSeed + round
  test(
    `what snapshots tell is what there was, under writes, compactions and other snapshots (seed ${seed})`,
    inDirectory(directory => sequence(seed, directory)),
  )
}

async function sequence(seed: number, directory: string): Promise<void> {
  const random = randomOf(seed)
  const model = memoryUpper()
  const upper = await packedUpper(directory, { ...options, eager: random(3) === 0 })
  const open: [number[], number[]] = [[], []]
  const taken: Taken[] = []
  const end = ({ snapshot, wanted }: Taken, at: number) => {
    assert.deepEqual(toldBySnapshot(snapshot), wanted, `step ${at}`)
    snapshot[Symbol.dispose]()
    snapshot[Symbol.dispose]()
  }
  for (let at = 0; at < 150; at++) {
    const step = nextStep(random, model, open[0], at)
    if (step.do === 'write' && random(3) === 0) await upper.copyKept(upper.node(step.id))
    take(model, step, open[0])
    take(upper, step, open[1])
    if (random(12) === 0 && taken.length < 4) taken.push({ snapshot: upper.snapshot(), wanted: toldByModel(model) })
    if (random(16) === 0 && taken.length > 0) end(taken.splice(random(taken.length), 1)[0]!, at)
    await upkeep(upper, random)
  }
  for (const each of taken) end(each, 150)
  assert.deepEqual(toldByModel(upper), toldByModel(model))
  for (const id of open[1]) upper.release(upper.node(id))
  await assertNothingLeft(upper, directory)
}

async function upkeep(upper: PackedUpper, random: Random): Promise<void> {
  const chance = random(30)
  if (chance < 3) await upper.sync()
  else if (chance === 3) await upper.compact()
  else if (chance === 4) await new Promise(resolve => setTimeout(resolve, 25))
}

/** After a sync there is nothing that the next opening would remove, but for the newest segment. */
async function assertNothingLeft(upper: PackedUpper, directory: string): Promise<void> {
  const files = () => readdirSync(directory).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  await upper.sync()
  const before = files()
  await upper.close()
  await (await openPackedUpper(directory, { checksums })).close()
  const after = files()
  const gone = before.filter(name => !after.includes(name))
  const newest = before.findLast(name => name.startsWith('segment-'))
  assert.deepEqual(
    gone.filter(name => name !== newest),
    [],
  )
}

function withUpper(work: (upper: PackedUpper, directory: string) => Promise<void>, io: UpperIo = nodeUpperIo) {
  return inDirectory(async directory => {
    const upper = await packedUpper(directory, { ...options, io })
    await work(upper, directory)
    await upper.close()
  })
}

function write(upper: Upper, name: string, bytes: Buffer): UpperNode {
  return upper.atomically(() => {
    const node = upper.create({ ...plainRoot, mode: 0o100644 })
    upper.place(upper.root, name as ByteString, node)
    upper.writeSync(node, 0, bytes)
    upper.release(node)
    return node
  })
}

function contentOf(upper: Upper, node: UpperNode): Buffer {
  const bytes = Buffer.alloc(node.sizeBytes)
  upper.readSync(node.id, 0, bytes)
  return bytes
}

const contentFiles = (directory: string) => readdirSync(directory).filter(name => name.startsWith('content'))
const old = Buffer.alloc(200_000, 'old ')

const inPlace: Readonly<Record<string, (upper: Upper, node: UpperNode) => void>> = {
  'written over': (upper, node) => upper.writeSync(node, 1000, Buffer.from('new')),
  'written over up to behind its end': (upper, node) => upper.writeSync(node, 199_999, Buffer.from('new')),
  'appended to': (upper, node) => upper.writeSync(node, 200_000, Buffer.from('new')),
  'cut off': (upper, node) => upper.truncateSync(node, 100_000),
  'cut off, and zeros appended': (upper, node) => {
    upper.truncateSync(node, 100_000)
    upper.truncateSync(node, 150_000)
  },
  'cut off, and written behind its end': (upper, node) => {
    upper.truncateSync(node, 100_000)
    upper.writeSync(node, 120_000, Buffer.from('new'))
  },
  'cut off, and written behind its old end': (upper, node) => {
    upper.truncateSync(node, 100_000)
    upper.writeSync(node, 250_000, Buffer.from('new'))
  },
  emptied: (upper, node) => upper.truncateSync(node, 0),
  removed: (upper, { id: _ }) => upper.remove(upper.root, 'large' as ByteString),
}

for (const [what, change] of Object.entries(inPlace)) {
  test(
    `a large content that is ${what} while a snapshot reads it: old there, new here`,
    withUpper(async (upper, directory) => {
      const node = write(upper, 'large', old)
      upper.hold(node)
      await upper.sync()
      const model = memoryUpper()
      const twin = write(model, 'large', old)
      model.hold(twin)
      const snapshot = upper.snapshot()
      change(upper, node)
      change(model, twin)
      await upper.sync()
      assert.ok(bytesAt(snapshot.place(node.id)).equals(old))
      assert.ok(contentOf(upper, node).equals(contentOf(model, twin)))
      snapshot[Symbol.dispose]()
      upper.release(node)
      await upper.sync()
      assert.equal(contentFiles(directory).length, node.sizeBytes > 0 && upper.usedEntries > 1 ? 1 : 0)
    }),
  )
}

test(
  'appending to a content that a snapshot reads copies nothing',
  withUpper(async (upper, directory) => {
    const node = write(upper, 'large', old)
    using snapshot = upper.snapshot()
    assert.equal(upper.isKept(node, 200_000), false)
    assert.equal(upper.isKept(node, 199_999), true)
    upper.writeSync(node, 200_000, Buffer.from('more'))
    assert.deepEqual(contentFiles(directory), ['content-0'])
    assert.equal(snapshot.place(node.id).bytes, 200_000)
  }),
)

test(
  'what is written while a kept content is copied off the main thread is there, and not in the snapshot',
  withUpper(async (upper, directory) => {
    const large = Buffer.alloc(5 << 20, 'old ')
    const node = write(upper, 'large', large)
    using snapshot = upper.snapshot()
    const copying = upper.copyKept(node)
    upper.writeSync(node, 4 << 20, Buffer.from('new'))
    upper.writeSync(node, large.length, Buffer.from('end'))
    await copying
    assert.equal(upper.isKept(node, 0), false)
    const wanted = Buffer.concat([large, Buffer.from('end')])
    wanted.write('new', 4 << 20)
    assert.ok(contentOf(upper, node).equals(wanted))
    assert.ok(bytesAt(snapshot.place(node.id)).equals(large))
    snapshot[Symbol.dispose]()
    await upper.sync()
    assert.equal(contentFiles(directory).length, 1)
  }),
)

test(
  'a snapshot that ends while a kept content is copied: what is written in place is not lost by the copy',
  withUpper(async (upper, directory) => {
    const node = write(upper, 'large', Buffer.alloc(20 << 20, 'old '))
    const snapshot = upper.snapshot()
    const copying = upper.copyKept(node)
    snapshot[Symbol.dispose]()
    const size = (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
    const begun = () => contentFiles(directory).some(name => name !== 'content-0' && size(name) > 0)
    while (!begun()) await new Promise(setImmediate)
    upper.writeSync(node, 0, Buffer.from('new'))
    await copying
    assert.equal(contentOf(upper, node).toString('latin1', 0, 8), 'new old ')
  }),
)

test(
  'a small content that nobody has handed to the kernel yet is in a file, and stays when the segments are compacted',
  withUpper(async (upper, directory) => {
    for (let i = 0; i < 50; i++) write(upper, `f${i}`, Buffer.alloc(3000, `${i} `))
    const nodes = Array.from({ length: 50 }, (_, i) => upper.node(upper.lookup(0, `f${i}` as ByteString)))
    const wanted = nodes.map(node => contentOf(upper, node))
    const snapshots = [upper.snapshot(), upper.snapshot()]
    for (let i = 0; i < 50; i++) upper.writeSync(nodes[i]!, 10, Buffer.from('new'))
    for (let i = 0; i < 45; i++) upper.remove(upper.root, `f${i}` as ByteString)
    await upper.compact()
    snapshots[0]![Symbol.dispose]()
    await upper.sync()
    for (const [i, { id }] of nodes.entries()) assert.ok(bytesAt(snapshots[1]!.place(id)).equals(wanted[i]!), `f${i}`)
    assert.ok(readdirSync(directory).includes('segment-0'))
    snapshots[1]![Symbol.dispose]()
    // In its turn behind what the end of the snapshot has begun.
    await upper.compact()
    assert.ok(!readdirSync(directory).includes('segment-0'))
  }),
)

test(
  'contents that a compaction moves stay where they were for a snapshot',
  withUpper(async (upper, directory) => {
    for (let i = 0; i < 50; i++) write(upper, `f${i}`, Buffer.alloc(3000, `${i} `))
    const left = upper.node(upper.lookup(0, 'f49' as ByteString))
    const wanted = contentOf(upper, left)
    using snapshot = upper.snapshot()
    for (let i = 0; i < 49; i++) upper.remove(upper.root, `f${i}` as ByteString)
    await upper.compact()
    assert.ok(readdirSync(directory).includes('segment-1'))
    assert.equal(snapshot.place(left.id).file, join(directory, 'segment-0'))
    assert.ok(bytesAt(snapshot.place(left.id)).equals(wanted))
    assert.ok(contentOf(upper, left).equals(wanted))
  }),
)

test(
  'what a snapshot kept from being removed goes when the last one ends, without being asked',
  withUpper(async (upper, directory) => {
    write(upper, 'large', old)
    const snapshots = [upper.snapshot(), upper.snapshot()]
    upper.remove(upper.root, 'large' as ByteString)
    await upper.sync()
    snapshots[0]![Symbol.dispose]()
    await upper.sync()
    assert.equal(contentFiles(directory).length, 1)
    snapshots[1]![Symbol.dispose]()
    for (let left = 500; left > 0 && contentFiles(directory).length > 0; left--)
      await new Promise(resolve => setTimeout(resolve, 10))
    assert.deepEqual(contentFiles(directory), [])
  }),
)

const sharing: UpperIo = {
  ...nodeUpperIo,
  reflinkSync(from, to) {
    copyFileSync(from, to)
    return true
  },
  async reflink(from, to) {
    await copyFile(from, to)
    return true
  },
}

for (const [where, io] of Object.entries({ shares: sharing, 'cannot share': nodeUpperIo }))
  test(
    `a file system that ${where}: a copy has what the content had, and not what lies behind its end`,
    withUpper(async (upper, directory) => {
      const node = write(upper, 'large', old)
      await upper.sync()
      upper.truncateSync(node, 150_000)
      const drafts = [upper.reflinkSync(node), await upper.reflink(node)]
      using _snapshot = upper.snapshot()
      upper.writeSync(node, 0, Buffer.from('new'))
      const found = contentOf(upper, node)
      assert.equal(found.length, 150_000)
      assert.ok(found.subarray(3).equals(old.subarray(3, 150_000)))
      upper.truncateSync(node, 200_000)
      assert.ok(contentOf(upper, node).subarray(150_000).equals(Buffer.alloc(50_000)))
      for (const draft of drafts) {
        assert.equal(draft !== undefined, io === sharing)
        if (draft === undefined) continue
        const copy = write(upper, 'copy', Buffer.from('x'))
        upper.adopt(copy, draft)
        assert.ok(contentOf(upper, copy).equals(old.subarray(0, 150_000)))
      }
      await upper.close()
      const again = await openPackedUpper(directory, { checksums })
      const there = again.node(again.lookup(0, 'large' as ByteString))
      assert.equal(contentOf(again, there).toString('latin1', 0, 8), 'new old ')
      await again.close()
    }, io),
  )

test('holes stay holes in a copy', async () => {
  let written = 0
  const counting: UpperIo = {
    ...nodeUpperIo,
    reflinkSync: () => false,
    write(file, bytes, position) {
      written += bytes.length
      return nodeUpperIo.write(file, bytes, position)
    },
  }
  await withUpper(async (upper, directory) => {
    const node = write(upper, 'large', old)
    upper.truncateSync(node, 2 ** 33)
    upper.truncateSync(node, 2 ** 24 + 5)
    using _snapshot = upper.snapshot()
    const before = written
    upper.writeSync(node, 0, Buffer.from('new'))
    assert.ok(written - before < 2 ** 21, `${written - before} bytes`)
    const name = contentFiles(directory).find(each => each !== 'content-0')!
    const copy = readFileSync(join(directory, name))
    assert.equal(copy.length, 2 ** 24 + 5)
    assert.ok(copy.subarray(3, 200_000).equals(old.subarray(3)))
    assert.ok(copy.subarray(200_000).every(byte => byte === 0))
  }, counting)()
})
