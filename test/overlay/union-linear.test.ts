/**
 * P-72: what asynchronous calls give, side by side, is what some order of their system calls gives, one after the other, in the
 * naive model. Contents of more than a slice make a write, a truncation or a copy-up take several turns, and between any two of
 * these others may go on. Reading what is being written is left out: a slice is written whole, the whole is not.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Gate, type History, happen, linearOrder, type Program, SlowLayer } from '../build/histories.js'
import type { Op, TreeNode, TreeNodes } from '../build/union-sequence.js'

const mtime = 1_000_000_000_000_000_000
const file = (data: string): TreeNode => ({ t: 'f', mode: 0o644, mtime, data })
/** Two slices. */
const large = (letter: string) => letter.repeat(1024 * 1024 + 5)
const tree: TreeNodes = {
  a: file('a'),
  b: file(large('b')),
  c: { t: 'f', link: 'b' },
  d: { t: 'd', mode: 0o755, mtime, children: { e: file('e') } },
}
const layers = [new SlowLayer(tree)]

function assertLinear(history: History): void {
  if (linearOrder(layers, history) !== undefined) return
  const shown = history.happened.map(({ op, outcome, begin, end }) => [begin, end, short(op), outcome])
  assert.fail(`no order gives this:\n${shown.join('\n')}`)
}

const short = (op: Op) => JSON.stringify(op).replace(/(.)\1{20,}/g, '$1…')

/** Whoever is chosen goes on, and the others wait: each way of choosing once. */
async function inEveryOrder(programs: readonly Program[], most: number): Promise<number> {
  const open: number[][] = [[]]
  let runs = 0
  for (let choices = open.pop(); choices !== undefined && runs < most; choices = open.pop()) {
    const prefix = choices
    const waiting: (() => void)[] = []
    const gate: Gate = () => new Promise<void>(resolve => waiting.push(resolve))
    let taken = 0
    const drive = async (all: Promise<unknown>) => {
      let over = false
      const end = all.finally(() => (over = true))
      while (!over) {
        await new Promise(setImmediate)
        if (waiting.length === 0) continue
        const choice = prefix[taken] ?? 0
        if (taken >= prefix.length) {
          for (let other = 1; other < waiting.length; other++)
            open.push([...prefix, ...Array<number>(taken - prefix.length).fill(0), other])
        }
        taken++
        waiting.splice(choice, 1)[0]!()
      }
      return end
    }
    assertLinear(await happen(layers, programs, gate, drive))
    runs++
  }
  return runs
}

const alone: readonly Op[] = [
  ['truncate', '/b', 3],
  ['truncate', '/b', 0],
  ['truncate', '/c', 0],
  ['appendFile', '/b', 'x'],
  ['appendFile', '/b', large('y')],
  ['writeFile', '/b', large('z')],
  ['writeFile', '/b', 'small'],
  ['rename', '/b', '/d/e'],
  ['rename', '/a', '/b'],
  ['unlink', '/b'],
  ['link', '/b', '/n'],
  ['chmod', '/b', 0o600],
  ['rmrf', '/d'],
]

test('P-72: any two calls, in every order of their turns', async () => {
  let runs = 0
  for (const [at, first] of alone.entries())
    for (const second of alone.slice(at)) runs += await inEveryOrder([[first], [second]], 60)
  assert.ok(runs > 100, `${runs} runs`)
})

const paths = fc.constantFrom('/a', '/b', '/c', '/d/e', '/n')
const texts = fc.constantFrom('x', 'yy', large('z'))
const sizes = fc.constantFrom(0, 2, 1024 * 1024 + 9)
const single = fc.oneof(
  fc.tuple(fc.constant('truncate'), paths, sizes),
  fc.tuple(fc.constantFrom('writeFile', 'appendFile'), paths, texts),
  fc.tuple(fc.constantFrom('rename', 'link'), paths, paths),
  fc.tuple(fc.constant('unlink'), paths),
  fc.tuple(fc.constant('chmod'), paths, fc.constantFrom(0o600, 0o755)),
  fc.tuple(fc.constantFrom('mkdir', 'rmrf', 'readdir'), fc.constantFrom('/d', '/m'), fc.constant(0o755)),
) as fc.Arbitrary<Op>
const used = fc.oneof(
  fc.tuple(fc.constant('hwrite'), fc.constant(0), texts),
  fc.tuple(fc.constant('hwriteat'), fc.constant(0), texts, fc.constantFrom(0, 1, 1024 * 1024)),
  fc.tuple(fc.constant('htruncate'), fc.constant(0), sizes),
) as fc.Arbitrary<Op>
/** One file opened, changed and closed, or single calls. */
const program = fc.oneof(
  fc.array(single, { minLength: 1, maxLength: 3 }),
  fc
    .tuple(paths, fc.constantFrom('rw', 'w', 'w+a', 'w+c', 'rw+t'), fc.array(used, { minLength: 1, maxLength: 2 }))
    .map(([path, how, uses]): Op[] => [['hopen', 0, path, how], ...uses, ['hclose', 0]]),
)

test('P-72: two or three programs of a few calls, their turns in any order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(program, { minLength: 2, maxLength: 3 }), async (scheduler, programs) => {
      const gate: Gate = label => scheduler.schedule(Promise.resolve(), label)
      assertLinear(await happen(layers, programs, gate, all => scheduler.waitFor(all)))
    }),
    { numRuns: Number(process.env.PHYLLO_RUNS ?? 90) },
  )
})
