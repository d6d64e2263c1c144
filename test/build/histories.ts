/**
 * Histories: programs of a few asynchronous calls each, side by side on one container, and whether what they saw is what they would
 * have seen had their system calls happened one after the other, each between its begin and its end (linearizability).
 */
import { isDeepStrictEqual } from 'node:util'
import { type ContainerFs, createContainerFace } from '../../src/overlay/face/container-face.js'
import type { Union } from '../../src/overlay/union/union.js'
import { MemoryLayer } from './memory-layer.js'
import { memoryUpper } from './memory-upper.js'
import { NaiveContainer } from './naive-container.js'
import { modelOutcome, withoutLinks } from './union-compare.js'
import { dumpUnion } from './union-dump.js'
import { flagsOf, literalOfTree, rootOf, unionOf } from './union-run.js'
import type { Op, TreeNodes } from './union-sequence.js'

/** Resolves when it is this one's turn. */
export type Gate = (label: string) => Promise<unknown>

export type Program = readonly Op[]

/** One call as it happened. */
interface Happened {
  readonly op: Op
  readonly program: number
  outcome: unknown
  /** Of one clock. */
  readonly begin: number
  end: number
}

export interface History {
  readonly programs: readonly Program[]
  readonly happened: readonly Happened[]
  readonly tree: unknown
}

/** A layer that is read when it is the reader's turn. */
export class SlowLayer extends MemoryLayer {
  readonly tree: TreeNodes
  gate: Gate = async () => undefined

  constructor(tree: TreeNodes) {
    super(literalOfTree(tree))
    this.tree = tree
  }

  override async read(inode: number, position: number, into: Uint8Array): Promise<number> {
    await this.gate('read')
    return this.readSync(inode, position, into)
  }
}

/** Runs the programs; `drive` lets one after the other of what waits at the gate go on until all have ended. */
export async function happen(
  layers: readonly SlowLayer[],
  programs: readonly Program[],
  gate: Gate,
  drive: (all: Promise<unknown>) => Promise<unknown>,
): Promise<History> {
  for (const layer of layers) layer.gate = gate
  const union = unionOf(layers, memoryUpper(rootOf()))
  Object.assign(union.pace, { turn: () => gate('turn'), due: () => false })
  const happened: Happened[] = []
  let clock = 0
  const run = async (program: Program, number: number) => {
    const caller = new Caller(union)
    for (const op of program) {
      await gate(`${number} ${JSON.stringify(op).slice(0, 60)}`)
      if (!caller.can(op)) break
      const one: Happened = { op, program: number, outcome: undefined, begin: clock++, end: Number.POSITIVE_INFINITY }
      happened.push(one)
      one.outcome = await caller.call(op)
      one.end = clock++
    }
  }
  await drive(Promise.all(programs.map(run)))
  return { programs, happened, tree: withoutLinks(dumpUnion(union)) }
}

type Handle = Awaited<ReturnType<ContainerFs['promises']['open']>>

/** Calls of one program, by promises. */
class Caller {
  readonly #fs: ContainerFs['promises']
  readonly #handles = new Map<unknown, Handle>()

  constructor(union: Union) {
    this.#fs = createContainerFace(union).promises
  }

  /** What was not opened is not used. */
  can([call, number]: Op): boolean {
    return !call.startsWith('h') || call === 'hopen' || this.#handles.has(number)
  }

  async call(op: Op): Promise<unknown> {
    try {
      return (await this.#run(op)) ?? null
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error
      return { errno: code }
    }
  }

  async #run([call, ...args]: Op): Promise<unknown> {
    const [first, second, third] = args as [string, string, string]
    const handle = this.#handles.get(first)!
    switch (call) {
      case 'mkdir':
        return void (await this.#fs.mkdir(first, { mode: Number(second) }))
      case 'rmdir':
      case 'unlink':
        return this.#fs[call](first)
      case 'rmrf':
        return this.#fs.rm(first, { recursive: true, force: true })
      case 'rename':
      case 'link':
        return this.#fs[call](first, second)
      case 'chmod':
        return this.#fs.chmod(first, Number(second))
      case 'truncate':
        return this.#fs.truncate(first, Number(second))
      case 'readdir':
        return this.#fs.readdir(first)
      case 'read':
        return this.#fs.readFile(first, 'latin1')
      case 'writeFile':
      case 'appendFile':
        return this.#fs[call](first, second, { encoding: 'latin1', mode: 0o644 })
      case 'hopen':
        return void this.#handles.set(first, await this.#fs.open(second, flagsOf(third), 0o644))
      case 'hread': {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(Number(third)), 0, Number(third), Number(second))
        return buffer.toString('latin1', 0, bytesRead)
      }
      case 'hwrite':
        return void (await handle.write(Buffer.from(second, 'latin1')))
      case 'hwriteat':
        return void (await handle.write(Buffer.from(second, 'latin1'), 0, second.length, Number(third)))
      case 'htruncate':
        return handle.truncate(Number(second))
      case 'hclose':
        return handle.close()
      default:
        throw new TypeError(call)
    }
  }
}

/** The system calls that a call is made of, as node:fs's own is. */
function stepsOf({ op, program, begin }: Happened): readonly Op[] {
  const [call, path, second] = op
  const number = 1000 + begin
  const through = (how: string, use: Op): Op[] => [['hopen', number, path!, how, 0o644], use, ['hclose', number]]
  if (call === 'truncate') return through('rw', ['htruncate', number, second!])
  if (call === 'writeFile') return through('w+c+t', ['hwrite', number, second!])
  if (call === 'appendFile') return through('w+c+a', ['hwrite', number, second!])
  // Programs do not know each other's files
  if (call === 'hopen') return [['hopen', `${program} ${path}`, ...op.slice(2), 0o644] as unknown as Op]
  return call.startsWith('h') ? [[call, `${program} ${path}`, ...op.slice(2)] as Op] : [op]
}

/** An order of steps that gives the same outcomes and the same tree; undefined: there is none. */
export function linearOrder(layers: readonly SlowLayer[], { happened, tree }: History): readonly Op[] | undefined {
  const calls = happened.map(one => ({ ...one, steps: stepsOf(one) }))
  const trees = layers.map(layer => layer.tree)
  const search = (order: readonly number[]): readonly number[] | undefined => {
    const { model, done, fits } = replay(trees, calls, order)
    if (!fits) return undefined
    if (calls.every(({ steps }, at) => done[at]! >= steps.length))
      return isDeepStrictEqual(model.dump(), tree) ? order : undefined
    for (const [at, { steps, begin }] of calls.entries()) {
      if (done[at]! >= steps.length) continue
      const mustWait = calls.some((other, i) => other.end < begin && done[i]! < other.steps.length)
      const found = mustWait ? undefined : search([...order, at])
      if (found !== undefined) return found
    }
    return undefined
  }
  return search([])?.map(at => calls[at]!.op)
}

interface Call extends Happened {
  readonly steps: readonly Op[]
}

/** From the beginning: the model cannot go back. */
function replay(layers: readonly TreeNodes[], calls: readonly Call[], order: readonly number[]) {
  const model = new NaiveContainer(layers, false)
  const done = calls.map(() => 0)
  let fits = true
  for (const at of order) {
    const { steps, outcome } = calls[at]!
    const given = modelOutcome(model, steps[done[at]!]!)
    const failed = (given as { errno?: string } | null)?.errno !== undefined
    // A call ends with the first of its steps that fails
    done[at] = failed ? steps.length : done[at]! + 1
    const last = done[at] === steps.length
    if (last && !isDeepStrictEqual(given, outcome)) fits = false
  }
  return { model, done, fits }
}
