/**
 * The test runner: `node dist/test/run.js [plain|core|system] [--only PATTERN] [--update]`.
 *
 * - plain: every `*.test.js` that needs neither root nor a Debian package, with files in memory where that is possible.
 * - core: the same without test/house, with files where TMPDIR says.
 * - system: `*.system.test.js`, one file at a time, as root on Linux with the programs of .ci/packages.
 *
 * A test that fails, is skipped, marked as to do, cancelled, or hangs, a file without tests, and fewer tests than
 * test/expected.json counts: each makes the run fail. What failed is said where it happened and at the end again. It
 * closes with `N passed, N failed` on a line of its own.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, join, relative, resolve } from 'node:path'
import { run } from 'node:test'
import { inspect, parseArgs } from 'node:util'
import { makeFastDirectory, removeFastDirectory } from './build/fast-directory.js'
import { compiledRoot, repoRoot } from './build/repo.js'
import { sayAgain } from './build/say-again.js'

const suites = ['plain', 'core', 'system'] as const
type Suite = (typeof suites)[number]

/** No file takes half of it; one that does hangs. */
const fileTimeoutMs = Number(process.env.PHYLLO_TEST_TIMEOUT_MS ?? 10 * 60_000)
const expectedFile = join(repoRoot, 'test/expected.json')

interface FileResult {
  readonly file: string
  passed: number
  /** Each with name and reason, ready to print. */
  readonly failures: string[]
  /** What the file wrote, and the diagnostics of its tests: seeds, mostly. Shown when it fails. */
  readonly output: string[]
  ms: number
}

interface TestEvent {
  readonly name: string
  readonly file?: string
  readonly skip?: string | boolean
  readonly todo?: string | boolean
  readonly details: {
    readonly type?: string
    readonly error?: Error & { readonly failureType?: string; readonly cause?: unknown }
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, update: { type: 'boolean', default: false } },
  })
  const suite = (positionals[0] ?? 'plain') as Suite
  if (!suites.includes(suite) || positionals.length > 1)
    throw new Error(`usage: run.js [${suites.join('|')}] [--only PATTERN]`)
  if (suite === 'system') demandPrerequisites()
  const only = values.only === undefined ? undefined : new RegExp(values.only)
  const files = testFiles(suite).filter(file => only?.test(nameOf(file)) ?? true)
  const started = performance.now()
  const results = await (suite === 'plain' ? inFastDirectory : asIs)(() =>
    runAll(files, suite === 'system' ? 1 : availableParallelism()),
  )
  const total = { passed: 0, failed: 0 }
  for (const { passed, failures } of results) {
    total.passed += passed
    total.failed += failures.length
  }
  console.log(`\n${suite}: ${files.length} files, ${seconds(performance.now() - started)}, Node ${process.version}`)
  const fewer = only === undefined ? missing(suite, total.passed, values.update && total.failed === 0) : undefined
  if (fewer !== undefined) total.failed++
  if (files.length === 0) total.failed++
  sayAgain([...results.filter(({ failures }) => failures.length > 0).map(blockOf), ...(fewer ? [fewer] : [])])
  console.log(`${total.passed} passed, ${total.failed} failed`)
  if (total.failed > 0) process.exitCode = 1
}

const asIs = <T>(work: () => Promise<T>) => work()

/** Tests make their files below TMPDIR, which they inherit. */
async function inFastDirectory<T>(work: () => Promise<T>): Promise<T> {
  const dir = makeFastDirectory('phyllo-tests-')
  process.env.TMPDIR = dir
  // Tests have registries under names that only they resolve: no proxy of whoever runs them may be asked for these.
  for (const name of Object.keys(process.env)) if (/^(https?|no|all)_proxy$/i.test(name)) delete process.env[name]
  try {
    return await work()
  } finally {
    removeFastDirectory(dir)
  }
}

/** Compiled tests whose source is still there: a build leaves the outcome of deleted sources behind. */
function testFiles(suite: Suite): string[] {
  const root = join(compiledRoot, 'test')
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.js') && existsSync(join(repoRoot, 'test', name.replace(/js$/, 'ts'))))
    .filter(name => name.endsWith('.system.test.js') === (suite === 'system'))
    .filter(name => suite !== 'core' || !/^house[\\/]/.test(name))
    .sort()
    .map(name => join(root, name))
}

async function runAll(files: readonly string[], concurrency: number): Promise<FileResult[]> {
  const waiting = [...files]
  const results: FileResult[] = []
  const lane = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runFile(file)
      results.push(result)
      console.log(blockOf(result))
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, lane))
  return results
}

/** One `run()` a file: its own deadline works the same on every Node, and a file that hangs is killed with its process. */
async function runFile(file: string): Promise<FileResult> {
  const result: FileResult = { file, passed: 0, failures: [], output: [], ms: 0 }
  const started = performance.now()
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), fileTimeoutMs)
  const events = run({ files: [file], concurrency: 1, signal: deadline.signal })
  events.on('test:pass', event => count(result, event))
  events.on('test:fail', event => count(result, event))
  events.on('test:stdout', ({ message }) => result.output.push(message))
  events.on('test:stderr', ({ message }) => result.output.push(message))
  // Those without a file are the runner's own summary.
  events.on('test:diagnostic', ({ message, file }) => file !== undefined && result.output.push(`${message}\n`))
  for await (const _ of events);
  clearTimeout(timer)
  result.ms = performance.now() - started
  if (deadline.signal.aborted) result.failures.push(`it was ended after ${seconds(fileTimeoutMs)}`)
  if (result.passed + result.failures.length === 0) result.failures.push('it holds no test')
  return result
}

function count(result: FileResult, { name, file, skip, todo, details }: TestEvent): void {
  const { type, error } = details
  // A suite is no test, and fails by itself only in its hooks.
  if (type === 'suite' && (error === undefined || error.failureType === 'subtestsFailed')) return
  // The file as a whole: reported where it holds no test (which is looked at elsewhere) or where its process failed.
  const isFile = file !== undefined && resolve(name) === resolve(file)
  // The deadline, which tells itself.
  if (isFile && error?.failureType === 'testAborted') return
  if (skip !== undefined && skip !== false) result.failures.push(`${name}: skipped`)
  else if (todo !== undefined && todo !== false) result.failures.push(`${name}: to do`)
  else if (error !== undefined)
    result.failures.push(`${isFile ? 'the file' : name}\n${indent(inspect(reasonOf(error)))}`)
  else if (!isFile) result.passed++
}

function reasonOf(error: Error & { readonly cause?: unknown }): unknown {
  return error.cause instanceof Error ? error.cause : error
}

function blockOf({ file, passed, failures, output, ms }: FileResult): string {
  const line = `${seconds(ms).padStart(8)}  ${String(passed).padStart(4)} passed  ${nameOf(file)}`
  if (failures.length === 0) return `ok    ${line}`
  const written = output.length === 0 ? [] : [`output of the file:\n${indent(output.join('').trimEnd())}`]
  return [`FAIL  ${line}, ${failures.length} failed`, ...[...failures, ...written].map(indent)].join('\n')
}

/** Said when fewer tests passed than test/expected.json says, so that a suite cannot shrink unseen. */
function missing(suite: Suite, passed: number, update: boolean): string | undefined {
  const expected = JSON.parse(readFileSync(expectedFile, 'utf8')) as Record<Suite, number>
  if (update) writeFileSync(expectedFile, `${JSON.stringify({ ...expected, [suite]: passed }, undefined, 2)}\n`)
  else if (passed < expected[suite]) return `only ${passed} of at least ${expected[suite]} tests (test/expected.json)`
  return undefined
}

function demandPrerequisites(): void {
  const missing = process.platform === 'linux' ? [] : ['Linux']
  if (process.getuid?.() !== 0) missing.push('root')
  const dirs = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  for (const line of readFileSync(join(repoRoot, '.ci/packages'), 'utf8').split('\n')) {
    const [program, debian] = line.split(' ')
    if (!program || line.startsWith('#')) continue
    if (!dirs.some(dir => isExecutable(join(dir, program)))) missing.push(`${program} (Debian package ${debian})`)
  }
  if (missing.length === 0) return
  console.error(`the system tests need, and this machine lacks: ${missing.join(', ')}`)
  console.log(`0 passed, ${missing.length} failed`)
  process.exit(1)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const nameOf = (file: string) => relative(join(compiledRoot, 'test'), file)
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const indent = (text: string) => text.replace(/^(?=.)/gm, '      ')

await main()
