/** Admission and the watch over a disk, whose room is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileSystemStatus } from '../../src/disk/io.js'
import { Space, type WritingContext } from '../../src/disk/space.js'
import type { PhylloError } from '../../src/errors.js'
import { Operation } from '../../src/operation.js'

const MiB = 2 ** 20
const ext4 = 0xef53
const btrfs = 0x9123683e

interface Told {
  status: FileSystemStatus
  looks: number
}

function disk(status: Partial<FileSystemStatus> = {}): Told {
  const whole = { totalBytes: 1000 * MiB, freeBytes: 500 * MiB, totalInodes: 0, freeInodes: 0, type: ext4 }
  return { status: { ...whole, ...status }, looks: 0 }
}

function spaceOf(told: Told, limits = { reserveBytes: 100 * MiB, reservePercent: 100 }, countsInodes = false): Space {
  const statfs = async () => {
    told.looks++
    return { ...told.status }
  }
  return new Space({ io: { statfs }, path: '/disk', limits, countsInodes })
}

async function run<T>(space: Space, work: (op: WritingContext) => Promise<T>, signal?: AbortSignal): Promise<T> {
  return await new Operation(op => space.watched(op, work), signal)
}

const admit = (space: Space, bytes: number) => run(space, op => op.admit(bytes))

/** Until somebody stops it. */
const untilStopped = (op: WritingContext) =>
  new Promise<never>((_, reject) =>
    op.signal.addEventListener('abort', () => reject(new Error('stopped', { cause: op.signal.reason }))),
  )

test('what fits is admitted, and one byte more is refused before anything is done', async () => {
  const space = spaceOf(disk())
  await admit(space, 400 * MiB)
  await assert.rejects(admit(space, 400 * MiB + 1), (error: PhylloError) => {
    const { code, path, needed, free, reserve } = error
    assert.deepEqual([code, path, needed], ['DISK_FULL', '/disk', 400 * MiB + 1])
    assert.deepEqual([free, reserve], [500 * MiB, 100 * MiB])
    return true
  })
})

test('the reserve is the smaller of its bytes and its part of the file system, and none with 0', async () => {
  await admit(spaceOf(disk(), { reserveBytes: 100 * MiB, reservePercent: 1 }), 490 * MiB)
  await assert.rejects(admit(spaceOf(disk(), { reserveBytes: 100 * MiB, reservePercent: 1 }), 491 * MiB), {
    code: 'DISK_FULL',
    reserve: 10 * MiB,
  })
  await admit(spaceOf(disk({ freeBytes: 0 }), { reserveBytes: 0, reservePercent: 1 }), 0)
  await assert.rejects(admit(spaceOf(disk({ freeBytes: 1 }), { reserveBytes: 0, reservePercent: 1 }), 2), {
    code: 'DISK_FULL',
  })
})

test('a file system that may keep bytes in less room refuses nothing for its size', async () => {
  for (const type of [btrfs, 0]) {
    await admit(spaceOf(disk({ type })), 2 ** 50)
    await assert.rejects(admit(spaceOf(disk({ type, freeBytes: 99 * MiB })), 0), { code: 'DISK_FULL', needed: 0 })
  }
})

test('where nobody knows how much room there is, nothing is refused', async () => {
  await admit(spaceOf(disk({ totalBytes: 0, freeBytes: 0 })), 2 ** 50)
  const limits = { reserveBytes: MiB, reservePercent: 1 }
  const statfs = async () => Promise.reject(new Error('ENOSYS'))
  await admit(new Space({ io: { statfs }, path: '/disk', limits, countsInodes: true }), 2 ** 50)
})

test('what was written since the disk is watched counts as room', async () => {
  const told = disk()
  const admitted = run(spaceOf(told), async op => {
    op.watch()
    await sleep(5)
    told.status = { ...told.status, freeBytes: 300 * MiB }
    await op.admit(400 * MiB)
  })
  await admitted
})

test('an operation is stopped when the disk comes to the reserve, whoever fills it', async () => {
  const told = disk({ freeBytes: 108 * MiB })
  let op: WritingContext | undefined
  const writing = run(spaceOf(told), async context => {
    op = context
    await context.admit(0)
    told.status = { ...told.status, freeBytes: 100 * MiB - 1 }
    return untilStopped(context)
  })
  await assert.rejects(writing, { code: 'DISK_FULL', path: '/disk', free: 100 * MiB - 1, reserve: 100 * MiB })
  assert.equal(op!.signal.aborted, true)
  const { looks } = told
  await sleep(10)
  assert.equal(told.looks, looks, 'nobody looks any more')
})

test('one that is below the reserve already is stopped at the first look', async () => {
  const writing = run(spaceOf(disk({ freeBytes: 0 })), op => {
    op.watch()
    return untilStopped(op)
  })
  await assert.rejects(writing, { code: 'DISK_FULL' })
})

test('nobody looks before something is written', async () => {
  const told = disk({ freeBytes: 0 })
  assert.equal(await run(spaceOf(told), async () => 'done'), 'done')
  assert.equal(told.looks, 0)
})

test('with much room a look in a while is enough, and the nearer the reserve, the more often', async () => {
  const looksIn = async (freeBytes: number) => {
    const told = disk({ totalBytes: 2 ** 40, freeBytes })
    await run(spaceOf(told), async op => {
      op.watch()
      await sleep(200)
    })
    return told.looks
  }
  const [far, near] = await Promise.all([looksIn(2 ** 40), looksIn(101 * MiB)])
  assert.ok(far <= 2, `${far} looks`)
  assert.ok(near >= 10, `${near} looks`)
})

test('an abort is the abort, and a failure of its own is its own', async () => {
  const reason = new Error('changed my mind')
  const abort = new AbortController()
  const writing = run(
    spaceOf(disk()),
    async op => {
      await op.admit(0)
      setTimeout(() => abort.abort(reason), 1)
      return untilStopped(op)
    },
    abort.signal,
  )
  await assert.rejects(writing, error => error === reason)
  const own = new Error('own')
  await assert.rejects(
    run(spaceOf(disk()), async () => Promise.reject(own)),
    error => error === own,
  )
})

test('inodes count where every file becomes one', async () => {
  const few = disk({ totalInodes: 1_000_000, freeInodes: 100 })
  const limits = { reserveBytes: 100 * MiB, reservePercent: 1 }
  await admit(spaceOf(few, limits), 0)
  await assert.rejects(admit(spaceOf(few, limits, true), 0), { code: 'DISK_FULL', message: /inodes/ })
  // A file system without a number of them has enough.
  await admit(spaceOf(disk({ totalInodes: 0, freeInodes: 0 }), limits, true), 0)
})
