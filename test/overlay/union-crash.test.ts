/**
 * A container whose upper is on disk, and a disk that fails or a process that is killed at any call (P-73, P-74): contents are
 * large, so that they are written while operations go on.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseJournal } from '../../src/drivers/packed/journal.js'
import type { Upper } from '../../src/drivers/upper.js'
import { PhylloError } from '../../src/errors.js'
import { loadChecksums } from '../../src/layerfile/checksum.js'
import { createContainerFace } from '../../src/overlay/face/container-face.js'
import { linkGroups } from '../build/commit-run.js'
import { callFace, type Driven } from '../build/face-calls.js'
import { type FaultyIo, faultyIo } from '../build/faulty-io.js'
import { inDirectory } from '../build/in-directory.js'
import { packedUpper } from '../build/packed-upper.js'
import { Random } from '../build/random-tar.js'
import { dir, file } from '../build/tree-literals.js'
import { withoutLinks } from '../build/union-compare.js'
import { dumpUnion, dumpUpper } from '../build/union-dump.js'
import { layerOf, rootOf, runAll, unionOf } from '../build/union-run.js'
import { type Script, type State, script, scriptLayers } from '../build/union-script.js'
import type { Op, TreeNodes } from '../build/union-sequence.js'

const seed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const checksums = await loadChecksums()
const layers = scriptLayers.map(layerOf)

function open(directory: string, options: { readonly io?: FaultyIo; readonly eager?: boolean } = {}) {
  return packedUpper(directory, { root: rootOf(), checksums, ...options })
}

function drive(upper: Upper): Driven {
  const union = unionOf(layers, upper)
  return { union, box: createContainerFace(union), open: new Map() }
}

function stateOf({ union }: Pick<Driven, 'union'>): State {
  const tree = dumpUnion(union)
  return { tree: withoutLinks(tree) as TreeNodes, links: linkGroups(tree).sort() }
}

/** Runs the script until it ends or dies. Answers how many operations are acknowledged. */
async function run(directory: string, { ops }: Script, io: FaultyIo): Promise<number> {
  let done = 0
  try {
    const upper = await open(directory, { io, eager: true })
    const driven = drive(upper)
    for (const op of ops) {
      callFace(driven, op)
      if (io.happened) break
      done++
      if (done === ops.length >> 1) await upper.sync()
    }
    await upper.close()
  } catch (error) {
    if (!io.happened) throw error
  }
  io.bury()
  return done
}

/** A random script with the number of its calls: one in which a kill finds enough to hit (few write hardly anything). */
async function busyScript(
  random: Random,
  directory: string,
): Promise<{ readonly made: Script; readonly calls: number }> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const made = script(random, 40)
    const io = faultyIo()
    await run(join(directory, `whole-${attempt}`), made, io)
    if (io.calls > 20) return { made, calls: io.calls }
  }
  throw new Error('no script of 20 writes anything')
}

/** A state but for bytes that the operation under way was writing in place: those may be of either. */
function isState(found: State, wanted: State, next: State | undefined): boolean {
  const [ours, theirs, others] = [shownOf(found), shownOf(wanted), shownOf(next ?? wanted)]
  if (ours.shape !== theirs.shape) return false
  return [...ours.contents].every(([path, data]) => {
    const one = theirs.contents.get(path)!
    const other = others.contents.get(path) ?? one
    return data === one || [...data].every((letter, at) => letter === one[at] || letter === other[at])
  })
}

interface Shown {
  readonly shape: string
  readonly contents: ReadonlyMap<string, string>
}

function shownOf({ tree, links }: State): Shown {
  const contents = new Map<string, string>()
  return { shape: JSON.stringify([links, shapeOf(tree, '', contents)]), contents }
}

/** The tree with the lengths of contents. */
function shapeOf(tree: TreeNodes, at: string, contents: Map<string, string>): unknown {
  return Object.entries(tree)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { t, mode, mtime, data, children }]) => {
      if (data !== undefined) contents.set(`${at}/${name}`, data)
      return [name, t, mode, mtime, data?.length, children && shapeOf(children, `${at}/${name}`, contents)]
    })
}

for (const round of [0, 1]) {
  test(
    `P-73: killed at any call, the state before or after the operation is there (seed ${seed + round})`,
    inDirectory(async directory => {
      const { made, calls } = await busyScript(new Random(seed + round), directory)
      const stride = Math.max(1, Math.floor(calls / 60))
      for (let at = 1; at <= calls; at += stride) {
        const io = faultyIo()
        io.arm({ kind: 'kill', at })
        const place = join(directory, `${at}`)
        const done = await run(place, made, io)
        const upper = await open(place)
        const found = stateOf(drive(upper))
        await upper.close()
        const [before, after, next] = made.states.slice(done, done + 3)
        const note = `call ${at}, during ${JSON.stringify(made.ops[done])?.slice(0, 80)}`
        assert.ok(isState(found, before!, after) || (after !== undefined && isState(found, after, next)), note)
      }
    }),
  )
}

function assertTold(error: unknown): void {
  assert.ok(error instanceof PhylloError, String(error))
  assert.equal(error.code, 'STORE_IO')
}

/** Until it succeeds. */
async function again<T>(io: FaultyIo, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    assertTold(error)
    io.arm({ kind: 'none' })
    return work()
  }
}

for (const kind of ['EIO', 'ENOSPC'] as const) {
  test(
    `P-74, P-23: ${kind} at any call: the operation fails and has changed nothing, and again it succeeds (seed ${seed})`,
    inDirectory(async directory => {
      const random = new Random(seed)
      let failures = 0
      for (let round = 0; round < 25; round++) {
        const io = faultyIo()
        const place = join(directory, `${round}`)
        failures += await fail(place, io, kind, script(random, 25), random)
      }
      assert.ok(failures > 8, `${failures} failures`)
    }),
  )
}

async function fail(
  directory: string,
  io: FaultyIo,
  kind: 'EIO' | 'ENOSPC',
  { ops, outcomes, states }: Script,
  random: Random,
): Promise<number> {
  const upper = await open(directory, { io, eager: random.int(2) === 0 })
  const driven = drive(upper)
  let failures = 0
  for (const [at, op] of ops.entries()) {
    const held = dumpUpper(driven.union)
    // One call alone: what is put back after a failed write cannot be put back by a disk that fails again
    io.arm({ kind, at: 1 + random.int(5) })
    let outcome: unknown
    try {
      outcome = callFace(driven, op)
      io.arm({ kind: 'none' })
    } catch (error) {
      assertTold(error)
      failures++
      io.arm({ kind: 'none' })
      assert.deepEqual(stateOf(driven), states[at], `${op}`.slice(0, 80))
      assert.deepEqual(dumpUpper(driven.union), held, `${op}`.slice(0, 80))
      outcome = callFace(driven, op)
    }
    assert.deepEqual(outcome, outcomes[at], `${op}`.slice(0, 80))
    assert.deepEqual(stateOf(driven), states[at + 1], `${op}`.slice(0, 80))
    if (random.int(8) === 0) await again(io, () => upper.sync())
  }
  for (const number of [...driven.open.keys()]) callFace(driven, ['hclose', number])
  await again(io, () => upper.close())
  const reopened = await open(directory)
  assert.deepEqual(stateOf(drive(reopened)), states.at(-1))
  await reopened.close()
  return failures
}

test(
  'a change of one of two names of a layer is one frame: killed behind the copy alone, the names would be two files by then',
  inDirectory(async directory => {
    const changes: readonly Op[] = [
      ['truncate', '/c', 3],
      ['truncate', '/c', 0],
      ['truncate', '/c', 200_000],
      ['chmod', '/c', 0o600],
      ['utimes', '/c', 1e18, true],
      ['open', '/c', 'w+t', 0, ''],
    ]
    for (const [at, op] of changes.entries()) {
      const upper = await open(join(directory, `${at}`), { eager: true })
      const journal = join(directory, `${at}`, 'journal')
      const frames = () => parseJournal(journal, readFileSync(journal), checksums.xxh64).frames.length
      const before = frames()
      callFace(drive(upper), op)
      assert.equal(frames() - before, 1, `${op}`)
      await upper.close()
    }
  }),
)

for (const op of [
  ['rename', '/d/two', '/moved', ''],
  ['rename', '/d/two', '/d/three', 'exchange'],
] as const)
  test(
    `a ${op[3] === '' ? 'rename' : 'exchange'} of a layer's name is one frame: nobody finds it copied up and not yet moved`,
    inDirectory(async directory => {
      const linked = { d: dir({ one: file('content'), two: { ...file(), link: 'd/one' }, three: file('x') }) }
      const upper = await open(directory, { eager: true })
      const frames = () =>
        parseJournal('journal', readFileSync(join(directory, 'journal')), checksums.xxh64).frames.length
      const before = frames()
      runAll(unionOf([layerOf(linked)], upper), [op])
      assert.equal(frames(), before + 1)
      await upper.close()
    }),
  )
