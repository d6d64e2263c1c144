/**
 * Are the tests able to fail? `npm run mutants [-- system] [--only ROOM] [--sample N [--seed SEED]]`.
 *
 * Every mutant of test/mutants/*.ts is applied to a copy of the repository, its test must fail there, and must pass
 * without it. Those whose test is a system test run with `system` alone. The product itself is never touched. A sample
 * holds some of each room; its seed is the commit, so that one commit after the other comes to all of them.
 */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { transformSync } from 'esbuild'
import { makeFastDirectory, removeFastDirectory } from './build/fast-directory.js'
import { compiledRoot, repoRoot } from './build/repo.js'
import { sampleOf } from './build/sample.js'
import { sayAgain } from './build/say-again.js'
import type { Mutant } from './mutants/mutant.js'

/** What a test may look at besides the compiled files. */
const copied = ['src', 'workers', 'test', 'docs', 'examples', 'bench', '.ci', 'native-notes.md', 'biome.json']
const files = ['package.json', 'package-lock.json', 'tsconfig.json', 'README.md', 'CHANGELOG.md', 'LICENSE', '.npmrc']

type Named = Mutant & { readonly room: string }
interface Verdict {
  readonly mutant: Named
  /** `killed` is the only good one. */
  readonly outcome: 'killed' | 'SURVIVED' | 'INVALID'
  readonly note: string
  readonly ms: number
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, sample: { type: 'string' }, seed: { type: 'string' } },
  })
  const system = positionals[0] === 'system'
  const all = await collect(values.only === undefined ? undefined : new RegExp(values.only))
  const here = all.filter(({ test }) => test.endsWith('.system.test.ts') === system)
  const mutants = values.sample === undefined ? here : sampled(here, values.sample, values.seed ?? commit())
  const dir = makeFastDirectory('phyllo-mutants-')
  process.env.TMPDIR = join(dir, 'tmp')
  mkdirSync(process.env.TMPDIR)
  try {
    const lanes = system ? 1 : Math.min(2, availableParallelism())
    const slots = Array.from({ length: lanes }, (_, i) => createSlot(join(dir, `slot-${i}`)))
    const healthy = new Map<string, Run>()
    const tests = [...new Set(mutants.map(({ test }) => test))]
    await spread(
      tests,
      slots,
      async (test, slot) => void healthy.set(test, await runTest(slot, test, healthyTimeoutMs)),
    )
    const verdicts: Verdict[] = []
    await spread(mutants, slots, async (mutant, slot) => {
      const verdict = await judge(mutant, slot, healthy.get(mutant.test)!)
      verdicts.push(verdict)
      console.log(lineOf(verdict))
    })
    if (all.length > here.length)
      console.log(`${all.length - here.length} more: npm run mutants${system ? '' : ' -- system'}`)
    sayAgain(verdicts.filter(({ outcome }) => outcome !== 'killed').map(lineOf))
    const killed = verdicts.filter(({ outcome }) => outcome === 'killed').length
    console.log(`${killed} passed, ${verdicts.length - killed + (verdicts.length === 0 ? 1 : 0)} failed`)
    if (killed < verdicts.length || verdicts.length === 0) process.exitCode = 1
  } finally {
    removeFastDirectory(dir)
  }
}

function sampled(mutants: readonly Named[], count: string, seed: string): Named[] {
  if (!/^[1-9]\d*$/.test(count)) throw new Error(`--sample takes a number, not ${count}`)
  const chosen = sampleOf(mutants, {
    count: Number(count),
    seed,
    kindOf: ({ room }) => room,
    nameOf: ({ name }) => name,
  })
  console.log(`${chosen.length} of ${mutants.length} mutants: --sample ${count} --seed ${seed}`)
  return chosen
}

/** Of sources that are in no repository: any. */
function commit(): string {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: repoRoot, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : String(Date.now())
}

async function collect(only?: RegExp): Promise<Named[]> {
  const dir = join(compiledRoot, 'test/mutants')
  const rooms = readdirSync(join(repoRoot, 'test/mutants'))
    .filter(name => name.endsWith('.ts') && name !== 'mutant.ts')
    .map(name => basename(name, '.ts'))
    .filter(room => only?.test(room) ?? true)
  const found: Named[] = []
  for (const room of rooms) {
    const { mutants } = (await import(pathToFileURL(join(dir, `${room}.js`)).href)) as { mutants: readonly Mutant[] }
    found.push(...mutants.map(mutant => ({ ...mutant, room })))
  }
  return found
}

/** A copy of the repository with its compiled files under `dist`. */
function createSlot(dir: string): string {
  for (const name of [...copied, ...files])
    if (existsSync(join(repoRoot, name))) cpSync(join(repoRoot, name), join(dir, name), { recursive: true })
  for (const name of ['src', 'workers', 'test'])
    cpSync(join(compiledRoot, name), join(dir, 'dist', name), { recursive: true })
  symlinkSync(join(repoRoot, 'node_modules'), join(dir, 'node_modules'))
  return dir
}

/** Every item once, one at a time in each slot. */
async function spread<T>(items: readonly T[], slots: readonly string[], use: (item: T, slot: string) => Promise<void>) {
  const waiting = [...items]
  const lane = async (slot: string) => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await use(item, slot)
  }
  await Promise.all(slots.map(lane))
}

/** A test that draws what it does may miss once what it nearly always catches: nothing is said to survive before so many runs. */
const runsMax = 5

async function judge(mutant: Named, slot: string, healthy: Run): Promise<Verdict> {
  const invalid = (note: string): Verdict => ({ mutant, outcome: 'INVALID', note, ms: 0 })
  if (healthy.failed)
    return invalid(`${mutant.test} ${healthy.timedOut ? 'hangs' : 'fails'} without it:\n${healthy.output}`)
  if (!existsSync(join(slot, mutant.file))) return invalid(`there is no ${mutant.file}`)
  const source = readFileSync(join(slot, mutant.file), 'utf8')
  const parts = source.split(mutant.find)
  if (parts.length !== 2) return invalid(`its text is found ${parts.length - 1} times in ${mutant.file}`)
  const broken = parts.join(mutant.replace)
  if (broken === source) return invalid('it changes nothing')
  const undo = apply(slot, mutant.file, broken)
  if (typeof undo === 'string') return invalid(undo)
  try {
    const timeoutMs = startTimeoutMs + 5 * healthy.ms
    let [count, run] = [1, await runTest(slot, mutant.test, timeoutMs)]
    for (; !run.failed && count < runsMax; count++) run = await runTest(slot, mutant.test, timeoutMs)
    const note = run.timedOut ? 'by hanging' : run.failed && count > 1 ? `in run ${count}` : ''
    return { mutant, outcome: run.failed ? 'killed' : 'SURVIVED', note, ms: run.ms }
  } finally {
    undo()
  }
}

/** Writes the broken source and what it compiles to; gives the way back, or the reason why it does not compile. */
function apply(slot: string, file: string, broken: string): (() => void) | string {
  const written = new Map([[join(slot, file), broken]])
  if (file.endsWith('.ts') && !file.endsWith('.d.ts')) {
    // One file, types stripped: a mutant that the compiler would refuse still has to be killed by its test.
    const tsconfigRaw = { compilerOptions: { target: 'es2022', verbatimModuleSyntax: true } }
    try {
      const { code } = transformSync(broken, { loader: 'ts', format: 'esm', target: 'es2022', tsconfigRaw })
      written.set(join(slot, 'dist', file.replace(/ts$/, 'js')), code)
    } catch (error) {
      return `it is no TypeScript: ${(error as Error).message}`
    }
  }
  const before = new Map([...written.keys()].map(path => [path, readFileSync(path)]))
  for (const [path, text] of written) writeFileSync(path, text)
  return () => {
    for (const [path, text] of before) writeFileSync(path, text)
  }
}

/** A test that takes this much longer than without the mutant hangs, and that is a failure like another. */
const startTimeoutMs = 60_000
/** Without a mutant a test may take as long as test/run.ts lets it. */
const healthyTimeoutMs = 10 * 60_000

interface Run {
  readonly failed: boolean
  readonly timedOut: boolean
  readonly ms: number
  readonly output: string
}

function runTest(slot: string, test: string, timeoutMs: number): Promise<Run> {
  const file = join(slot, 'dist', test.replace(/ts$/, 'js'))
  if (!existsSync(file)) return Promise.resolve({ failed: true, timedOut: false, ms: 0, output: `there is no ${test}` })
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file], { cwd: slot, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      child.kill('SIGKILL')
    }, timeoutMs)
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => (output = `${output}${bytes}`.slice(-20_000)))
    child.on('error', reject)
    child.on('close', code => {
      clearTimeout(timer)
      resolve({ failed: code !== 0, timedOut, ms: performance.now() - started, output })
    })
  })
}

function lineOf({ mutant, outcome, note, ms }: Verdict): string {
  const time = `${(ms / 1000).toFixed(1)} s`.padStart(7)
  return `${outcome.padEnd(8)} ${time}  ${mutant.room}: ${mutant.name}${note && `, ${note}`}`
}

await main()
