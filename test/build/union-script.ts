/** Random operations of which many write large contents, with what the model shows before and after each. */
import { NaiveContainer } from './naive-container.js'
import type { Random } from './random-tar.js'
import { modelOutcome } from './union-compare.js'
import type { Op, TreeNode, TreeNodes } from './union-sequence.js'

/** More than what an upper takes for small. */
const large = 70_000
const mtime = 1_000_000_000_000_000_000
const file = (data: string): TreeNode => ({ t: 'f', mode: 0o644, mtime, data })

/** Small and large files, links among them, and directories of which one merges. */
export const scriptLayers: readonly TreeNodes[] = [
  {
    a: file('small'),
    b: file('B'.repeat(large + 9)),
    c: { t: 'f', link: 'b' },
    d: { t: 'd', mode: 0o755, mtime, children: { a: file('A'.repeat(large)), e: { t: 'f', link: 'a' } } },
  },
  { d: { t: 'd', mode: 0o700, mtime, children: { b: file('b') } } },
]

export interface Script {
  readonly ops: readonly Op[]
  readonly outcomes: readonly unknown[]
  /** Before the first operation, after it, and so on. */
  readonly states: readonly State[]
}

export interface State {
  readonly tree: TreeNodes
  readonly links: readonly string[]
}

export function script(random: Random, length: number): Script {
  const model = new NaiveContainer(scriptLayers, false)
  const look = (): State => ({ tree: model.dump(), links: model.linkGroups().sort() })
  const ops: Op[] = []
  const outcomes: unknown[] = []
  const states = [look()]
  while (ops.length < length) {
    const op = operation(random, model)
    ops.push(op)
    outcomes.push(modelOutcome(model, op))
    states.push(look())
  }
  return { ops, outcomes, states }
}

const names = ['a', 'b', 'c', 'd/a', 'd/b', 'd/e', 'd', 'n', 'd/n'].map(name => `/${name}`)

function operation(random: Random, model: NaiveContainer): Op {
  const [at, other] = [random.pick(names), random.pick(names)]
  const open = [...model.files.keys()]
  const chance = random.int(24)
  if (chance < 3 && open.length < 3) {
    const free = [0, 1, 2].find(number => !model.files.has(number))!
    return ['hopen', free, at, random.pick(['w', 'rw', 'w+a', 'w+c', 'w+c+t']), 0o644]
  }
  if (chance >= 12 && open.length > 0) return use(random, random.pick(open))
  if (chance < 5) return ['truncate', at, random.pick([0, 3, 100, large - 10, large + 5000])]
  if (chance < 6) return ['chmod', at, random.pick([0o600, 0o640])]
  if (chance < 7) return ['mkdir', at, 0o755]
  if (chance < 8) return ['unlink', at]
  if (chance < 9) return ['rmrf', at]
  if (chance < 10) return ['link', at, other]
  if (chance < 11) return ['utimes', at, mtime + 1_000_000_000, true]
  return ['rename', at, other, random.pick(['', 'exchange'])]
}

function use(random: Random, number: number): Op {
  const text = random.pick(['x', 'y', 'z']).repeat(random.pick([1, 30, large, large]))
  switch (random.int(12)) {
    case 0:
      return ['hclose', number]
    case 1:
      return ['hwrite', number, text]
    case 2:
      return ['htruncate', number, random.pick([0, 10, large - 10, large + 5000])]
    case 3:
      return ['hchmod', number, 0o604]
    default:
      return ['hwriteat', number, text, random.pick([0, 5, large - 20, large + 100])]
  }
}
