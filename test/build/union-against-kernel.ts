/** The same sequences on a real overlay mount and on ours, compared. */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Union } from '../../src/overlay/union/union.js'
import { memoryUpper } from './memory-upper.js'
import { repoRoot } from './repo.js'
import { canonical, dumpUnion, dumpUpper, layerOf, outcomeOf, rootOf, testNow, unionOf } from './union-run.js'
import { type Op, type Sequence, sequence, type TreeNode, type TreeNodes } from './union-sequence.js'

/** Between two looks at the whole tree. */
const every = 10

export interface KernelAnswer {
  readonly results: readonly unknown[]
  readonly trees: readonly TreeNodes[]
  readonly upper: TreeNodes
  readonly remounted: TreeNodes
}

export interface KernelRequest {
  readonly layers: readonly TreeNodes[]
  readonly ops: readonly Op[]
  readonly upper?: TreeNodes
  readonly every?: number
  /** More mount options, with a comma before each. */
  readonly mount?: string
}

/** A process in a mount namespace of its own, which makes mounts and runs operations on them. */
export class Kernel implements AsyncDisposable {
  readonly #directory: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  constructor() {
    this.#directory = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'union-'))
    const program = path.join(repoRoot, 'test/build/overlay-kernel.py')
    this.#child = spawn('unshare', ['-m', 'python3', program, this.#directory])
    this.#child.stderr.pipe(process.stderr)
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async run(request: KernelRequest): Promise<KernelAnswer> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the process with the mounts has ended')
    return JSON.parse(value) as KernelAnswer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    await new Promise(resolve => this.#child.once('close', resolve))
    fs.rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** What is different on purpose, and how often it occurred: each must occur, or the rule is one that nobody needs. */
export class Differences {
  readonly counts = new Map<string, number>()

  count(rule: string): void {
    this.counts.set(rule, (this.counts.get(rule) ?? 0) + 1)
  }
}

export interface Comparison {
  readonly seed: number
  readonly sequences: number
  readonly operations: number
  readonly differences: Differences
  /** `copy` is compared with a mount that can rename every directory (redirect_dir=on). Default `exdev`, as the kernel's. */
  readonly directoryRename?: 'copy' | 'exdev'
  /** Of each operation what came of it: `rename ENOENT`. */
  readonly outcomes?: Map<string, number>
}

export async function compareWithKernel(comparison: Comparison): Promise<void> {
  const { seed, sequences, operations, directoryRename = 'exdev' } = comparison
  await using kernel = new Kernel()
  for (let at = 0; at < sequences; at++) {
    const one = sequence(seed + at, operations)
    const mount = directoryRename === 'copy' ? ',redirect_dir=on' : ''
    const answer = await kernel.run({ layers: one.layers, ops: one.ops, every, mount })
    const ours = runOurs(one, directoryRename)
    compareOne(one, ours, answer, comparison)
    // What was renamed with all that is below it has a form of its own in either upper.
    if (directoryRename === 'exdev') await compareUppers(one, ours.union, answer, kernel)
  }
}

async function compareUppers(one: Sequence, union: Union, answer: KernelAnswer, kernel: Kernel): Promise<void> {
  equal(one, 'the upper', canonical(union, dumpUpper(union)), canonical(union, answer.upper))
  const again = await kernel.run({ layers: one.layers, ops: [], upper: dumpUpper(union) })
  equal(one, 'our upper, mounted', comparable(again.trees[0]!, true), comparable(answer.remounted, true))
}

function runOurs({ layers, ops }: Sequence, directoryRename: 'copy' | 'exdev') {
  const union = unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename })
  const trees: TreeNodes[] = []
  const results = ops.map((op, at) => {
    const outcome = outcomeOf(union, op)
    if ((at + 1) % every === 0 || at + 1 === ops.length) trees.push(dumpUnion(union))
    return outcome
  })
  return { union, results, trees }
}

/** The rule by which an outcome is not the kernel's. */
function deliberate(op: Op, ours: unknown, kernels: unknown): string | undefined {
  // There is no driver behind a device and nobody at the other end of a fifo.
  if (op[0] === 'open' && kernels === null && (ours as { errno?: string } | null)?.errno === 'ENXIO') return 'no-wait'
  return undefined
}

function compareOne(
  one: Sequence,
  ours: ReturnType<typeof runOurs>,
  kernel: KernelAnswer,
  { differences, outcomes }: Comparison,
): void {
  for (const [at, op] of one.ops.entries()) {
    const [result, expected] = [ours.results[at], kernel.results[at]]
    const rule = deliberate(op, result, expected)
    if (rule !== undefined) differences.count(rule)
    else equal(one, `operation ${at}: ${JSON.stringify(op)}`, result, expected)
    const outcome = `${op[0]} ${(expected as { errno?: string } | null)?.errno ?? 'ok'}`
    outcomes?.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    if ((at + 1) % every !== 0) continue
    const tree = Math.floor(at / every)
    equal(one, `the tree after operation ${at}`, comparable(ours.trees[tree]!), comparable(kernel.trees[tree]!))
  }
}

function equal(one: Sequence, what: string, ours: unknown, kernels: unknown): void {
  assert.deepEqual(
    ours,
    kernels,
    `seed ${one.seed}, ${what}\nlayers ${JSON.stringify(one.layers)}\nops ${JSON.stringify(one.ops)}`,
  )
}

const nowNs = testNow.sec * 1e9

/** A tree without what differs by nature: numbers of groups, and times that are now. `links`: names that share an inode are not compared. */
function comparable(tree: TreeNodes, links = false): unknown {
  const groups = new Map<number, string>()
  const walk = (nodes: TreeNodes, at: string): unknown =>
    Object.fromEntries(
      Object.entries(nodes)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, node]) => [name, plain(node, `${at}/${name}`)]),
    )
  const plain = ({ group, nlink, children, mtime, ...node }: TreeNode, at: string): unknown => {
    if (group !== undefined && !groups.has(group)) groups.set(group, at)
    return {
      ...node,
      mtime: mtime! >= nowNs ? 'now' : mtime,
      ...(group !== undefined && !links && { first: groups.get(group), nlink }),
      ...(children !== undefined && { children: walk(children, at) }),
    }
  }
  return walk(tree, '')
}
