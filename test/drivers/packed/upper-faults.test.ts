/** EIO and ENOSPC at any call: the operation fails and has changed nothing, or succeeds; tried again it succeeds (P-23, P-74). */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { PackedUpper } from '../../../src/drivers/packed/packed-upper.js'
import type { UpperNode, UpperSnapshot } from '../../../src/drivers/upper.js'
import { PhylloError } from '../../../src/errors.js'
import { loadChecksums } from '../../../src/layerfile/checksum.js'
import { type FaultyIo, faultyIo } from '../../build/faulty-io.js'
import { inDirectory } from '../../build/in-directory.js'
import { memoryUpper, plainRoot } from '../../build/memory-upper.js'
import { packedUpper } from '../../build/packed-upper.js'
import { isSame, nextStep, randomOf, stateOf, take } from '../../build/upper-sequence.js'

const firstSeed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const checksums = await loadChecksums()

function assertTold(error: unknown): void {
  assert.ok(error instanceof PhylloError, String(error))
  assert.equal(error.code, 'STORE_IO')
  assert.equal(typeof error.path, 'string')
  assert.equal(typeof error.operation, 'string')
}

/** Until it succeeds. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left--) {
    try {
      return await work()
    } catch (error) {
      assertTold(error)
      if (left === 0) throw error
    }
  }
}

for (const kind of ['EIO', 'ENOSPC'] as const) {
  test(
    `${kind} at any call (seed ${firstSeed})`,
    inDirectory(async directory => {
      const random = randomOf(firstSeed)
      for (let round = 0; round < 60; round++) await sequence(join(directory, `${round}`), random, kind)
    }),
  )
}

async function sequence(directory: string, random: (below: number) => number, kind: 'EIO' | 'ENOSPC'): Promise<void> {
  const io = faultyIo()
  const options = { root: plainRoot, checksums, io, eager: random(2) === 0 }
  const arm = () => io.arm({ kind, at: 1 + random(12), times: 1 + random(2) })
  if (random(4) === 0) arm()
  const upper = await again(() => packedUpper(directory, options))
  const model = memoryUpper()
  const open: [number[], number[]] = [[], []]
  const held: UpperSnapshot[] = []
  for (let at = 0; at < 30; at++) {
    arm()
    const step = nextStep(random, model, open[0], at)
    try {
      take(upper, step, open[1])
    } catch (error) {
      assertTold(error)
      io.arm({ kind: 'none' })
      assert.ok(
        isSame(stateOf(upper), stateOf(model)),
        `step ${at} failed, and changed something: ${JSON.stringify(step)}`,
      )
      assert.deepEqual([upper.usedBytes, upper.usedEntries], [model.usedBytes, model.usedEntries])
      take(upper, step, open[1])
    }
    take(model, step, open[0])
    if (random(8) === 0) {
      for (const snapshot of held.splice(random(2))) snapshot[Symbol.dispose]()
      held.push(await again(async () => upper.snapshot()))
    }
    if (random(8) === 0) await again(() => (random(2) === 0 ? upper.sync() : upper.compact()))
  }
  await again(() => upper.close())
  io.arm({ kind: 'none' })
  await assertReopens(directory, stateOf(model))
}

async function assertReopens(directory: string, wanted: ReturnType<typeof stateOf>): Promise<void> {
  const upper = await packedUpper(directory, { root: plainRoot, checksums })
  const found = stateOf(upper)
  await upper.close()
  assert.deepEqual(found.lines, wanted.lines)
  assert.ok(isSame(found, wanted))
}

function makeFile(upper: PackedUpper, name: string, bytes: number): UpperNode {
  return upper.atomically(() => {
    const node = upper.create({ ...plainRoot, mode: 0o100644 })
    upper.place(upper.root, name as typeof node.target, node)
    upper.writeSync(node, 0, Buffer.alloc(bytes, 1))
    return node
  })
}

function withFaults(work: (upper: PackedUpper, io: FaultyIo, directory: string) => Promise<void>) {
  return inDirectory(async directory => {
    const io = faultyIo()
    const upper = await packedUpper(directory, { root: plainRoot, checksums, io })
    await work(upper, io, directory)
    await upper.close()
  })
}

test(
  'a full disk: sync and close tell it, nothing is lost, and writing ends before memory does',
  withFaults(async (upper, io, directory) => {
    io.arm({ kind: 'ENOSPC', at: 1, times: Number.POSITIVE_INFINITY })
    let made = 0
    assert.throws(() => {
      for (; made < 1000; made++) makeFile(upper, `f${made}`, 60_000)
    }, assertThrown)
    assert.ok(made > 100 && made < 1000)
    await assert.rejects(upper.sync(), { code: 'STORE_IO', errno: 'ENOSPC' })
    await assert.rejects(upper.close(), { code: 'STORE_IO', errno: 'ENOSPC' })
    io.arm({ kind: 'none' })
    makeFile(upper, 'last', 5)
    await upper.close()
    await upper.close()
    assert.throws(() => makeFile(upper, 'later', 5), { code: 'STORE_CLOSED' })
    const again = await packedUpper(directory, { root: plainRoot, checksums })
    assert.equal(again.usedEntries, 1 + made + 1)
    await again.close()
  }),
)

function assertThrown(error: unknown): boolean {
  assertTold(error)
  return true
}

test(
  'an fsync that failed: the bytes are written again before the next',
  withFaults(async (upper, io) => {
    const node = makeFile(upper, 'large', 100_000)
    await upper.sync()
    upper.writeSync(node, 10, Buffer.from('new'))
    // Hand-over is done; the first call is the fsync of the content.
    io.arm({ kind: 'EIO', at: 1 })
    const fsyncs = upper.sync()
    await assert.rejects(fsyncs, { code: 'STORE_IO' })
    io.arm({ kind: 'none' })
    await upper.sync()
    const writes = io.calls
    io.arm({ kind: 'none' })
    upper.writeSync(node, 10, Buffer.from('old'))
    await upper.sync()
    assert.ok(writes >= 2, `${writes} calls`)
  }),
)

test(
  'overwriting that fails half way has changed nothing',
  withFaults(async (upper, io) => {
    const node = makeFile(upper, 'large', 100_000)
    await upper.sync()
    for (const [position, length] of [
      [50, 1000],
      [99_000, 5000],
      [100_000, 50],
      [150_000, 10],
    ] as const) {
      for (let at = 1; at < 6; at++) {
        io.arm({ kind: 'ENOSPC', at })
        const before = stateOf(upper)
        try {
          upper.writeSync(node, position, Buffer.alloc(length, 2))
        } catch (error) {
          assertTold(error)
          assert.ok(isSame(stateOf(upper), before), `${position} ${at}`)
        }
        io.arm({ kind: 'none' })
        upper.truncateSync(node, 100_000)
        upper.writeSync(node, 0, Buffer.alloc(100_000, 1))
      }
    }
  }),
)
