/** Many processes use one store, and some are killed on the way. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '../../src/pool/pool.js'
import { type ImageKey, images, writeArchive } from './crash-images.js'
import { type CrashDriver, openStore } from './crash-operations.js'
import { assertClean, recover } from './crash-recovery.js'
import { judge, tagsOf } from './naive-store.js'
import { compiledRoot } from './repo.js'
import { randomOf } from './upper-sequence.js'

export interface CrowdOptions {
  readonly dir: string
  readonly driver: CrashDriver
  readonly processes: number
  readonly ms: number
  readonly seed: number
  readonly pool: Pool
}

export interface CrowdOutcome {
  readonly kills: number
  /** Steps by kind, and errors that are none of anybody's doing by code. */
  readonly steps: Readonly<Record<string, number>>
}

/** Throws AssertionError, or with what a process said when it ended with an error. */
export async function crowd(options: CrowdOptions): Promise<CrowdOutcome> {
  const { dir, driver, processes, ms, seed, pool } = options
  mkdirSync(dir, { recursive: true })
  await (await openStore(dir, driver, { pool })).close()
  for (let index = 0; index < processes; index++)
    for (const key of Object.keys(images) as ImageKey[])
      writeArchive(dir, `${index}-${key}.tar`, { [key]: [`p${index}/${key}:x`] })
  const members = Array.from({ length: processes }, (_, index) => new Member(options, index))
  const random = randomOf(seed)
  const until = performance.now() + ms
  let kills = 0
  const killer = async () => {
    while (performance.now() < until - firstStepsMs) {
      await sleep(500 + random(2000))
      if (members.some(({ failed }) => failed)) return
      if (members[random(processes)]!.kill()) kills++
    }
  }
  await Promise.all([killer(), ...members.map(member => member.live(until))])
  await verify(options, members)
  const steps: Record<string, number> = {}
  for (const { counts } of members) for (const [kind, count] of counts) steps[kind] = (steps[kind] ?? 0) + count
  return { kills, steps }
}

/** So long lives whoever was killed last. */
const firstStepsMs = 5000

async function verify({ dir, driver, pool }: CrowdOptions, members: readonly Member[]): Promise<void> {
  const root = join(dir, 'store')
  const before = judge(root)
  assert.deepEqual(before.findings, [])
  const known = members.flatMap(({ known }) => [...known])
  assert.deepEqual([...before.tags].sort(), known.sort(), 'names were lost')
  await recover(dir, driver, pool)
  await assertClean(dir, driver, pool)
  const after = judge(root, { atRest: true })
  assert.deepEqual(after.findings, [])
  assert.deepEqual([...after.tags].sort(), known.sort(), 'names were lost by the collection')
}

class Member {
  /** What its names mean, as far as it has told. */
  readonly known = new Map<string, string>()
  readonly counts = new Map<string, number>()
  failed = false
  readonly #options: CrowdOptions
  readonly #index: number
  /** A name that was about to change. */
  #open: string | undefined
  #child: ChildProcess | undefined

  constructor(options: CrowdOptions, index: number) {
    this.#options = options
    this.#index = index
  }

  /** Again and again, until the time is over. */
  async live(until: number): Promise<void> {
    for (let life = 0; performance.now() < until; life++) {
      const ended = await this.#once(life, until - performance.now())
      if (ended !== undefined) {
        this.failed = true
        throw new Error(ended)
      }
      this.#settle()
    }
  }

  kill(): boolean {
    return this.#child?.kill('SIGKILL') ?? false
  }

  /** What a process that ended by itself said, if that was an error. */
  async #once(life: number, ms: number): Promise<string | undefined> {
    const { dir, driver, seed } = this.#options
    const program = join(compiledRoot, 'test/build/crowd-process.js')
    const state = JSON.stringify(Object.fromEntries(this.known))
    const words = [program, dir, this.#index, seed + 1000 * life + this.#index, ms, state].map(String)
    // Driver overlay2 cannot do without system calls.
    const native = this.#index % 2 === 0 || driver === 'overlay2'
    const env = { ...process.env, ...(native ? {} : { PHYLLO_NATIVE: '0' }) }
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'], env })
    this.#child = child
    let [line, complaint] = ['', '']
    child.stdout.on('data', (bytes: Buffer) => {
      const lines = (line + bytes).split('\n')
      line = lines.pop()!
      for (const whole of lines) this.#hear(whole)
    })
    child.stderr.on('data', (bytes: Buffer) => (complaint += bytes))
    await once(child, 'close')
    this.#child = undefined
    return child.exitCode === 0 || child.signalCode === 'SIGKILL'
      ? undefined
      : `process ${this.#index}, life ${life}: ${complaint}`
  }

  #hear(line: string): void {
    const [what, kind, name, id] = line.split(' ') as [string, string, string?, string?]
    if (what === 'begin') this.#open = name
    if (what !== 'ok') return
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    if (!['load', 'tag', 'rmi', 'commit'].includes(kind)) return
    this.#open = undefined
    if (id === '') this.known.delete(name!)
    else this.known.set(name!, id!)
  }

  /** It died while it changed a name: whichever it is by now, it stays. */
  #settle(): void {
    if (this.#open === undefined) return
    const id = tagsOf(join(this.#options.dir, 'store')).get(this.#open)
    if (id === undefined) this.known.delete(this.#open)
    else this.known.set(this.#open, id)
    this.#open = undefined
  }
}
