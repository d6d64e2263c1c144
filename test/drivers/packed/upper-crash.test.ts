/** What a crash leaves: killed at every call, or with a journal that ends anywhere, a prefix of what was done is there (P-73). */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseJournal } from '../../../src/drivers/packed/journal.js'
import type { Upper, UpperSnapshot } from '../../../src/drivers/upper.js'
import { loadChecksums } from '../../../src/layerfile/checksum.js'
import { type FaultyIo, faultyIo } from '../../build/faulty-io.js'
import { inDirectory } from '../../build/in-directory.js'
import { memoryUpper, plainRoot } from '../../build/memory-upper.js'
import { packedUpper } from '../../build/packed-upper.js'
import { isSame, nextStep, randomOf, type Step, stateOf, take, type UpperState } from '../../build/upper-sequence.js'

const firstSeed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const checksums = await loadChecksums()

/** Nothing that is written in place, and may be there before its frame is. */
function isSmall(step: Step): boolean {
  if (step.do === 'write') return step.position + step.bytes.length <= 65_536
  if (step.do === 'truncate') return step.sizeBytes <= 65_536
  return step.do !== 'adopt' || step.pieces.reduce((sum, { length }) => sum + length, 0) <= 65_536
}

interface Script {
  readonly steps: readonly Step[]
  /** Before the first step, after it, and so on. */
  readonly states: readonly UpperState[]
}

/** `isWanted`: steps that are not are left out. */
function scriptOf(seed: number, length: number, isWanted: (step: Step) => boolean = () => true): Script {
  const random = randomOf(seed)
  const model = memoryUpper()
  const open: number[] = []
  const steps: Step[] = []
  const states = [stateOf(model)]
  for (let at = 0; steps.length < length; at++) {
    const step = nextStep(random, model, open, at)
    if (!isWanted(step)) continue
    take(model, step, open)
    steps.push(step)
    states.push(stateOf(model))
  }
  return { steps, states }
}

/** Runs the script, with syncs, a compaction and snapshots in it, so that contents are copied instead of written over, until it ends or dies. Answers how many steps are acknowledged. */
async function run(directory: string, { steps }: Script, io: FaultyIo, eager: boolean): Promise<number> {
  let done = 0
  try {
    const upper = await packedUpper(directory, { root: plainRoot, checksums, io, eager })
    const open: number[] = []
    let snapshot: UpperSnapshot | undefined
    for (const step of steps) {
      take(upper, step, open)
      if (io.happened) break
      done++
      if (done % 6 === 3) {
        snapshot?.[Symbol.dispose]()
        snapshot = upper.snapshot()
      }
      if (done === steps.length >> 2) await upper.sync()
      if (done === steps.length >> 1) await upper.compact()
      if (done === (steps.length * 3) >> 2) await upper.sync()
    }
    await upper.close()
  } catch (error) {
    if (!io.happened) throw error
  }
  io.bury()
  return done
}

/** The directory shows one of these states. What the next step was writing in place may have begun. */
async function assertShows(directory: string, { states }: Script, least: number, most: number): Promise<void> {
  const upper = await packedUpper(directory, { root: plainRoot, checksums })
  const found = stateOf(upper)
  await assertUsable(upper)
  for (let at = least; at <= most; at++) if (at < states.length && isSame(found, states[at]!, states[at + 1])) return
  const which = states.findIndex((state, at) => isSame(found, state, states[at + 1]))
  assert.fail(`${directory}: state ${which}, which is not within ${least} to ${most}:\n${found.lines.join('\n')}`)
}

/** What was reopened takes changes, and has them when it is opened again. */
async function assertUsable(upper: Upper): Promise<void> {
  const node = upper.create({ ...plainRoot, mode: 0o100644 })
  upper.writeSync(node, 0, Buffer.from('still usable'))
  upper.release(node)
  await upper.close()
}

for (const [round, eager] of [true, false, true].entries()) {
  const seed = firstSeed + round
  test(
    `killed at any call, a prefix is there, with all that was handed over (${eager ? 'eager, ' : ''}seed ${seed})`,
    inDirectory(async directory => {
      const script = scriptOf(seed, 40)
      const whole = faultyIo()
      await run(join(directory, 'whole'), script, whole, eager)
      const stride = Math.max(1, Math.floor(whole.calls / 40))
      for (let at = 1; at <= whole.calls; at += stride) {
        const io = faultyIo()
        io.arm({ kind: 'kill', at })
        const done = await run(join(directory, `${at}`), script, io, eager)
        // At the end of a sync or a compaction everything is handed over, and if eager always.
        const least = [0, 10, 20, 30].findLast(count => count < done) ?? 0
        await assertShows(join(directory, `${at}`), script, eager ? done : least, done + 1)
      }
    }),
  )
}

test(
  `a journal that ends anywhere, or is damaged in its last frame (seed ${firstSeed})`,
  inDirectory(async directory => {
    const script = scriptOf(firstSeed, 25, isSmall)
    const [model, at] = [join(directory, 'model'), join(directory, 'cut')]
    // One step a frame, no sync: nothing is known to be on the disk but the beginning.
    const upper = await packedUpper(model, { root: plainRoot, checksums, eager: true })
    const ends: number[] = []
    const open: number[] = []
    const journal = (where: string) => join(where, 'journal')
    const start = statSync(journal(model)).size
    for (const step of script.steps) {
      take(upper, step, open)
      ends.push(statSync(journal(model)).size)
    }
    await upper.close()
    const bytes = readFileSync(journal(model))
    cpSync(model, at, { recursive: true })
    const random = randomOf(firstSeed)
    for (let end = bytes.length; end >= start; end--) {
      const whole = [start, ...ends].findLast(each => each <= end)
      assert.equal(parseJournal('journal', bytes.subarray(0, end), checksums.xxh64).end, whole)
    }
    for (let end = bytes.length; end >= start; end -= 1 + random(Math.ceil(bytes.length / 150))) {
      writeFileSync(journal(at), bytes.subarray(0, end))
      const found = stateOf(await openOnly(at))
      const wanted = statesAt(script, ends, end)
      assert.ok(
        wanted.some(state => isSame(found, state)),
        `cut at ${end}`,
      )
    }
    const last = ends.findLast(each => each < bytes.length)!
    for (let i = 0; i < 30; i++) {
      const damaged = Buffer.from(bytes)
      const where = last + random(bytes.length - last)
      damaged[where] = damaged[where]! ^ (1 << random(8))
      writeFileSync(journal(at), damaged)
      const found = stateOf(await openOnly(at))
      assert.ok(
        statesAt(script, ends, last).some(state => isSame(found, state)),
        `flipped at ${where}`,
      )
    }
  }),
)

/** In this test nothing is removed, so that the contents of every prefix are there, but for what is written in place. */
async function openOnly(directory: string): Promise<Upper> {
  const io = faultyIo()
  const upper = await packedUpper(directory, { root: plainRoot, checksums, io: { ...io, unlink: () => undefined } })
  setImmediate(() => io.bury())
  return upper
}

/** States whose frames end there: a step that does nothing has none. */
function statesAt({ states }: Script, ends: readonly number[], end: number): UpperState[] {
  const there = ends.filter(each => each <= end).length
  return states.slice(0, there + 1).filter((_, i) => i === there || ends[i] === ends[there - 1])
}

test(
  'damage before whole frames is STORE_CORRUPT, and says where',
  inDirectory(async directory => {
    const upper = await packedUpper(directory, { root: plainRoot, checksums, eager: true })
    const journal = join(directory, 'journal')
    const ends = [statSync(journal).size]
    for (let i = 0; i < 3; i++) {
      const node = upper.create({ ...plainRoot, mode: 0o100644 })
      upper.place(upper.root, `f$i` as typeof node.target, node)
      ends.push(statSync(journal).size)
    }
    await upper.close()
    const bytes = readFileSync(journal)
    for (const where of [0, 9, 20, 33, ends[0]! + 1, ends[0]! + 40, ends[1]! + 13]) {
      const damaged = Buffer.from(bytes)
      damaged[where] = damaged[where]! ^ 0x10
      writeFileSync(journal, damaged)
      await assert.rejects(
        packedUpper(directory, { root: plainRoot, checksums }),
        (error: Error & { code?: string; offset?: number }) => {
          assert.match(String(error.code), where === 9 ? /STORE_VERSION|STORE_CORRUPT/ : /STORE_CORRUPT/)
          assert.ok(error.message.includes(journal))
          if (error.code === 'STORE_CORRUPT') assert.equal(typeof error.offset, 'number')
          return true
        },
        `byte $where`,
      )
    }
  }),
)

test(
  'what a sync has put on the disk is not given up silently: its contents are missed',
  inDirectory(async directory => {
    const upper = await packedUpper(directory, { root: plainRoot, checksums })
    for (const [name, bytes] of [
      ['small', 100],
      ['large', 100_000],
    ] as const) {
      const node = upper.create({ ...plainRoot, mode: 0o100644 })
      upper.place(upper.root, name as typeof node.target, node)
      upper.writeSync(node, 0, Buffer.alloc(bytes, 1))
    }
    await upper.sync()
    await upper.close()
    for (const name of ['segment-0', 'content-0']) {
      const path = join(directory, name)
      const bytes = readFileSync(path)
      truncateSync(path, bytes.length - 1)
      await assert.rejects(packedUpper(directory, { root: plainRoot, checksums }), { code: 'STORE_CORRUPT', path })
      writeFileSync(path, bytes)
    }
  }),
)

test(
  'after a power cut: up to the first frame whose content is not whole',
  inDirectory(async directory => {
    const upper = await packedUpper(directory, { root: plainRoot, checksums, eager: true })
    const make = (name: string, bytes: number) =>
      upper.atomically(() => {
        const node = upper.create({ ...plainRoot, mode: 0o100644 })
        upper.place(upper.root, name as typeof node.target, node)
        upper.writeSync(node, 0, Buffer.alloc(bytes, 1))
      })
    make('synced', 10)
    await upper.sync()
    for (const [name, bytes] of [
      ['a', 10],
      ['b', 70_000],
      ['c', 10],
      ['d', 10],
    ] as const)
      make(name, bytes)
    await upper.close()
    const names = async () => {
      const shown: string[] = []
      const again = await packedUpper(directory, { root: plainRoot, checksums })
      again.list(0, name => shown.push(name))
      await again.close()
      return shown
    }
    const segment = readFileSync(join(directory, 'segment-0'))
    segment[segment.length - 1] = 0
    writeFileSync(join(directory, 'segment-0'), segment)
    assert.deepEqual(await names(), ['a', 'b', 'c', 'synced'])
    truncateSync(join(directory, 'content-0'), 69_999)
    assert.deepEqual(await names(), ['a', 'synced'])
  }),
)
