/**
 * One sequence of operations, its pieces done by turns: some in a container, the next on a kernel's mount of the container's upper,
 * the next in a container again that has the kernel's upper (P-67). Compared with the kernel doing all of them on one mount.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import type { Upper } from '../../src/drivers/upper.js'
import type { Union } from '../../src/overlay/union/union.js'
import { importUpper, rootNodeOf } from './kernel-upper.js'
import { memoryUpper } from './memory-upper.js'
import { Kernel } from './overlay-kernel.js'
import { packedUpper } from './packed-upper.js'
import { Random } from './random-tar.js'
import { equal, equalOutcomes, equalTrees } from './union-against-kernel.js'
import { canonical, dumpRoot, dumpUpper } from './union-dump.js'
import type { Tally } from './union-profile.js'
import { layerOf, runAll, testNow, unionOf } from './union-run.js'
import { type Op, type Sequence, sequence, type TreeNode } from './union-sequence.js'

/** Operations of one piece at most. */
const longestPiece = 12

export interface Alternation extends Tally {
  readonly seed: number
  readonly sequences: number
  readonly operations: number
}

/** How often an upper went from one to the other. */
export interface Handovers {
  toKernel: number
  fromKernel: number
  whiteouts: number
  opaque: number
}

interface Piece {
  /** Operations done before it, and after it. */
  readonly from: number
  readonly to: number
  readonly by: 'container' | 'kernel'
}

/** What one side leaves to the other. */
interface State {
  readonly upper: TreeNode
  readonly tree: TreeNode
  readonly results: readonly unknown[]
}

const noUpper: TreeNode = { t: 'd', mode: 0o755, uid: 0, gid: 0, mtime: testNow.sec * 1e9, children: {} }

export async function compareByTurns(alternation: Alternation): Promise<Handovers> {
  const { seed, sequences, operations } = alternation
  const handovers: Handovers = { toKernel: 0, fromKernel: 0, whiteouts: 0, opaque: 0 }
  await using kernel = new Kernel()
  for (let at = seed; at < seed + sequences; at++) {
    const one = sequence(at, operations)
    const pieces = cut(at, operations)
    const looks = pieces.map(({ to }) => to)
    const alone = await kernel.run({ layers: one.layers, ops: one.ops, looks })
    const turns = new Turns(one, kernel, at % 2 === 0 ? 'memory' : 'packed')
    let state: State = {
      upper: noUpper,
      tree: dumpRoot(unionOf(one.layers.map(layerOf), filled(noUpper))),
      results: [],
    }
    for (const [index, piece] of pieces.entries()) {
      state = piece.by === 'kernel' ? await turns.inKernel(piece, state) : await turns.inContainer(piece, state)
      compare(one, piece, state, { results: alone.results, tree: alone.trees[index]! }, alternation)
      countHandover(handovers, piece, state)
    }
    turns.equalUppers(state.upper, alone.upper)
  }
  return handovers
}

/** Pieces of random lengths by turns; who begins is random, too. */
function cut(seed: number, operations: number): Piece[] {
  const random = new Random(seed ^ 0x5eed)
  const pieces: Piece[] = []
  let by: Piece['by'] = random.pick(['container', 'kernel'])
  for (let from = 0; from < operations; ) {
    const to = Math.min(operations, from + 1 + random.int(longestPiece))
    pieces.push({ from, to, by })
    from = to
    by = by === 'kernel' ? 'container' : 'kernel'
  }
  return pieces
}

type Alone = Pick<State, 'results' | 'tree'>

function compare(one: Sequence, { from, to, by }: Piece, state: State, alone: Alone, tally: Tally): void {
  for (let at = from; at < to; at++) {
    const [result, expected] = [state.results[at - from], alone.results[at]]
    equalOutcomes(one, at, result, expected, tally)
  }
  equalTrees(one, `the tree after operations ${from} to ${to} in the ${by}`, state.tree, alone.tree)
}

function countHandover(handovers: Handovers, { by }: Piece, { upper }: State): void {
  if (by === 'kernel') handovers.fromKernel++
  else handovers.toKernel++
  const count = ({ t, opaque, children = {} }: TreeNode): void => {
    if (t === 'w') handovers.whiteouts++
    if (opaque === true) handovers.opaque++
    for (const child of Object.values(children)) count(child)
  }
  count(upper)
}

class Turns {
  readonly #one: Sequence
  readonly #kernel: Kernel
  readonly #kind: 'memory' | 'packed'

  constructor(one: Sequence, kernel: Kernel, kind: 'memory' | 'packed') {
    this.#one = one
    this.#kernel = kernel
    this.#kind = kind
  }

  async inKernel({ from, to }: Piece, { upper, tree }: State): Promise<State> {
    const { layers } = this.#one
    const looks = [0, to - from]
    const answer = await this.#kernel.run({ layers, ops: this.#ops(from, to), looks, upper })
    equalTrees(this.#one, `before operation ${from}, our upper, mounted`, tree, answer.trees[0]!)
    return { upper: answer.upper, tree: answer.trees[1]!, results: answer.results }
  }

  async inContainer({ from, to }: Piece, { upper, tree }: State): Promise<State> {
    const played = (at: Upper): State => {
      const union = this.#unionOf(at)
      equalTrees(this.#one, `before operation ${from}, the kernel's upper, read`, dumpRoot(union), tree)
      equal(this.#one, 'whiteouts and marks', canonical(union, dumpUpper(union)), canonical(union, upper))
      const results = runAll(union, this.#ops(from, to))
      return { ...this.#seen(union), results }
    }
    return this.#kind === 'memory' ? played(filled(upper, this.#one)) : await this.#onDisk(upper, played)
  }

  /** Two uppers over the same layers, by what they hide. */
  equalUppers(ours: TreeNode, kernels: TreeNode): void {
    const union = this.#unionOf(filled(ours, this.#one))
    equal(this.#one, 'the upper at the end', canonical(union, ours), canonical(union, kernels))
  }

  /** In a container's directory, opened anew after it was filled, and again after the operations. */
  async #onDisk(upper: TreeNode, played: (at: Upper) => State): Promise<State> {
    const directory = join(this.#kernel.scratch, 'container')
    const open = () => packedUpper(directory, { root: rootNodeOf(upper) })
    try {
      await closing(await open(), made => importUpper(upper, this.#one.layers.map(layerOf), made))
      const { results } = await closing(await open(), played)
      return { ...(await closing(await open(), again => this.#seen(this.#unionOf(again)))), results }
    } finally {
      fs.rmSync(directory, { recursive: true, force: true })
    }
  }

  #seen(union: Union): Pick<State, 'tree' | 'upper'> {
    return { tree: dumpRoot(union), upper: dumpUpper(union) }
  }

  #unionOf(upper: Upper): Union {
    return unionOf(this.#one.layers.map(layerOf), upper)
  }

  #ops(from: number, to: number): readonly Op[] {
    return this.#one.ops.slice(from, to)
  }
}

function filled(root: TreeNode, { layers }: Pick<Sequence, 'layers'> = { layers: [] }): Upper {
  const upper = memoryUpper(rootNodeOf(root))
  importUpper(root, layers.map(layerOf), upper)
  return upper
}

async function closing<T>(upper: Upper, work: (upper: Upper) => T): Promise<T> {
  try {
    return work(upper)
  } finally {
    await upper.close()
  }
}
