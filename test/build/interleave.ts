/**
 * Tries every order of the steps of several processes that share one store in memory.
 *
 * A process is an async program over the real functions. A step is one call of its file system that others can see or
 * that sees what others do, and whatever the program does up to its next step. With grain `protocol` only the calls by
 * which processes speak to each other are steps: leases, references, looks (looking again at once is the same look), and
 * publishing or taking away.
 *
 * A state is the disk and, for each process, everything that it has seen so far: what follows from equal states is
 * equal, so a state is gone into once, and the walk is exhaustive although the orders are far too many to be counted.
 */
import { createHash } from 'node:crypto'
import type { MemoryDisk, Step } from './memory-disk.js'

export interface World {
  readonly disk: MemoryDisk
  /** The programs, by the name of their process; they begin when the walk does. */
  readonly programs: ReadonlyMap<string, () => Promise<void>>
  /** Two processes with the same program: states in which they have changed parts are equal. */
  readonly twins?: readonly [string, string]
  /** What must hold in every state; says what does not. */
  readonly inspect: () => string | undefined
  /** What must hold when all programs have ended. */
  readonly conclude: () => string | undefined
}

/** Hands out the step function of each process; steps of processes that are not walked happen at once. */
export type Grain = 'call' | 'protocol'

export class Scheduler {
  readonly waiting = new Map<string, { readonly label: string; readonly possible: () => boolean; run(): unknown }[]>()
  readonly seen = new Map<string, string>()
  active = false
  /** Processes that hold the root lock or wait for it: what they only read under it is part of the step before. */
  readonly #holders = new Set<string>()
  readonly #last = new Map<string, string>()
  readonly #grain: Grain
  readonly #forget: (call: string) => boolean

  constructor(grain: Grain, forget: (call: string) => boolean) {
    this.#grain = grain
    this.#forget = forget
  }

  /** A new run: what the last one was waiting for never comes. */
  begin(): void {
    this.waiting.clear()
    this.seen.clear()
    this.#last.clear()
    this.#holders.clear()
    this.active = true
  }

  step(process: string): Step {
    return (call, path, work, possible = () => true) => {
      const waits = call === 'flock' && !possible()
      if (call === 'openLock' && path.endsWith('/phyllo/lock')) this.#holders.add(process)
      if (call === 'close') this.#holders.delete(process)
      const locked = this.#holders.has(process) && !writes.includes(call)
      if (!this.active || (!waits && (locked || !isStep(this.#grain, call, path)))) return this.#noted(process, work)
      const label = `${process}: ${call} ${path}`
      const again = this.#grain === 'protocol' && call === 'read' && this.#last.get(process) === label
      if (again) return this.#noted(process, work)
      this.#last.set(process, label)
      if (this.#forget(call)) this.seen.set(process, '')
      return new Promise((resolve, reject) => {
        const run = () => this.#noted(process, work).then(resolve, reject)
        this.waiting.set(process, [...(this.waiting.get(process) ?? []), { label, possible, run }])
      })
    }
  }

  /** Runs the call and adds what the process has seen to its history. Numbers of descriptors are nobody's business. */
  async #noted<T>(process: string, work: () => T): Promise<T> {
    try {
      const value = work()
      if (this.active && typeof value === 'object')
        this.#note(process, Buffer.isBuffer(value) ? `${value}` : JSON.stringify(value))
      return value
    } catch (error) {
      this.#note(process, String(error))
      throw error
    }
  }

  #note(process: string, text: string): void {
    this.seen.set(process, `${this.seen.get(process) ?? ''}\n${text}`)
  }
}

const writes = ['write', 'link', 'rename', 'unlink']

/** Calls that others neither see nor answer, and of a record all files but the first, are part of the step before. */
function isStep(grain: Grain, call: string, path: string): boolean {
  const parts = path.split(' ')
  if (parts.every(part => /\/phyllo\/(stages|trash)\//.test(part))) return false
  if (call === 'read') return path.endsWith('/diff')
  if (call === 'readdir')
    return grain === 'call' ? !/\/(stages|trash)$/.test(path) : /\/(owners|content\/sha256)$/.test(path)
  if (call === 'lstat') return grain === 'call'
  return writes.includes(call) && !(grain === 'protocol' && /\/limbo\/\S*$/.test(path))
}

export interface Walk {
  readonly runs: number
  readonly states: number
  /** What went wrong first, with the order of steps that led there. */
  readonly failure: { readonly reason: string; readonly order: readonly string[] } | undefined
}

/**
 * @param forget calls at which nothing that the process has seen before matters any more, for what it does next
 */
export async function everyOrder(
  grain: Grain,
  makeWorld: (scheduler: Scheduler) => Promise<World>,
  forget: (call: string) => boolean = () => false,
): Promise<Walk> {
  const scheduler = new Scheduler(grain, forget)
  const world = await makeWorld(scheduler)
  const restart = world.disk.save()
  const visited = new Set<string>()
  const open: string[][] = [[]]
  let runs = 0
  for (let prefix = open.pop(); prefix !== undefined; prefix = open.pop()) {
    runs++
    restart()
    scheduler.begin()
    const failure = await oneRun(scheduler, world, prefix, visited, open)
    if (failure !== undefined) return { runs, states: visited.size, failure }
  }
  return { runs, states: visited.size, failure: undefined }
}

async function oneRun(
  scheduler: Scheduler,
  world: World,
  prefix: readonly string[],
  visited: Set<string>,
  open: string[][],
): Promise<Walk['failure']> {
  const order: string[] = []
  const taken: string[] = []
  let running = world.programs.size
  let thrown: unknown
  for (const [name, program] of world.programs) {
    program().then(
      () => {
        running--
        scheduler.seen.set(name, 'done')
      },
      error => (thrown ??= error),
    )
  }
  for (;;) {
    await new Promise(resolve => setImmediate(resolve))
    if (thrown !== undefined) return { reason: String((thrown as Error).stack), order }
    if (running === 0) break
    const ready = [...scheduler.waiting].flatMap(([name, [first]]) => (first?.possible() ? [name] : []))
    let next = prefix[taken.length]
    if (next === undefined) {
      const state = stateOf(world, scheduler)
      if (visited.has(state)) return undefined
      visited.add(state)
      const reason = world.inspect()
      if (reason !== undefined) return { reason, order }
      next = ready[0]
      for (const other of ready.slice(1)) open.push([...taken, other])
    }
    if (next === undefined) return { reason: 'nobody can go on', order }
    const first = scheduler.waiting.get(next)!.shift()!
    taken.push(next)
    order.push(first.label)
    first.run()
  }
  const reason = world.conclude()
  return reason === undefined ? undefined : { reason, order }
}

function stateOf({ disk, programs, twins }: World, scheduler: Scheduler): string {
  const parts = [disk.snapshot()]
  for (const name of programs.keys()) {
    const waiting = scheduler.waiting.get(name)?.map(({ label }) => label)
    parts.push(JSON.stringify([name, scheduler.seen.get(name), waiting]))
  }
  const state = nameless(parts.join('\n'))
  const sorted = (text: string) => text.split('\n').sort().join('\n')
  const names = [sorted(state), ...(twins === undefined ? [] : [sorted(mirrored(state, twins))])]
  return createHash('sha1').update(names.sort()[0]!).digest('base64')
}

function mirrored(state: string, [first, second]: readonly [string, string]): string {
  return state.replaceAll(first, '\0').replaceAll(second, first).replaceAll('\0', second)
}

/** How many names an owner has used up says nothing: states that differ in that alone are equal. */
function nameless(text: string): string {
  return text.replace(/\.\d+\b/g, '.n')
}
