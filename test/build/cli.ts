/**
 * The command line: as a process of its own, with its words, its streams and its exit status; or, where these are all that
 * a test looks at, within this process, which takes a tenth of the time. What only a process shows (signals, readers that
 * leave, that it ends) is `startPhyllo`'s.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { after } from 'node:test'
import { runCommandLine } from '../../src/cli/run.js'
import { Store } from '../../src/index.js'
import { archiveOf, type Members } from './image.js'
import { compiledRoot } from './repo.js'

/** As the package ships it, which starts in half of the time; where only sources were compiled, those. */
export const program = [join(compiledRoot, 'bundle/src/cli/main.js'), join(compiledRoot, 'src/cli/main.js')].find(
  path => existsSync(path),
)!

export interface Ran {
  /** null when a signal ended it. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly root?: string | undefined
  readonly input?: Uint8Array
  readonly env?: NodeJS.ProcessEnv
  /** Told when it lets others go first; within this process alone. */
  readonly giveWay?: () => void
  readonly compileLater?: () => void
}

/** Starts it with nothing of this process's own choice of a store, and in UTC. */
export function startPhyllo(args: readonly string[], { root, env }: RunOptions = {}): ChildProcess {
  return spawn(process.execPath, [program, ...wordsOf(args, root)], { env: { ...ownEnv(), TZ: 'UTC', ...env } })
}

const wordsOf = (args: readonly string[], root: string | undefined) =>
  root === undefined ? args : ['--root', root, ...args]

function ownEnv(): NodeJS.ProcessEnv {
  const { PHYLLO_ROOT: _root, XDG_DATA_HOME: _xdg, ...own } = process.env
  return own
}

/** Waits for the end of a process that nothing else reads from. */
export async function ended(child: ChildProcess): Promise<Ran & { readonly bytes: Buffer }> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', chunk => out.push(chunk))
  child.stderr?.on('data', chunk => err.push(chunk))
  const [status] = await once(child, 'close')
  const bytes = Buffer.concat(out)
  return { status, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() }
}

/** What the command line itself reads of the environment. All else is the process's. */
const readEnv = new Set(['HOME', 'XDG_DATA_HOME', 'PHYLLO_ROOT'])

export function runPhyllo(args: readonly string[], options: RunOptions = {}) {
  return Object.keys(options.env ?? {}).every(name => readEnv.has(name))
    ? runWithin(args, options)
    : runProcess(args, options)
}

/** The program itself. */
export async function runProcess(args: readonly string[], options: RunOptions = {}) {
  const child = startPhyllo(args, options)
  // What it does not read is not this test's matter.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(options.input)
  return ended(child)
}

process.env.TZ = 'UTC'

const nothing = () => undefined

async function runWithin(args: readonly string[], options: RunOptions) {
  const { root, input, env, giveWay = nothing, compileLater = nothing } = options
  const [out, err] = [new Collected(), new Collected()]
  const status = await new Promise<number>(exit => {
    runCommandLine(wordsOf(args, root), {
      stdin: Readable.from(input === undefined ? [] : [Buffer.from(input)]),
      stdout: out,
      stderr: err,
      env: { ...ownEnv(), ...env },
      once: nothing,
      exit,
      pid: 0,
      kill: () => assert.fail('nothing has interrupted it'),
      giveWay,
      compileLater,
    }).then(exit)
  })
  return { status, bytes: out.bytes, stdout: out.bytes.toString(), stderr: err.bytes.toString() }
}

class Collected extends Writable {
  readonly #chunks: Buffer[] = []

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(Buffer.from(chunk))
    done()
  }
}

/** The output of a command that must end well and say nothing on standard error. */
export async function linesOf(args: readonly string[], options: RunOptions): Promise<string[]> {
  const { status, stdout, stderr } = await runPhyllo(args, options)
  if (status !== 0 || stderr !== '') throw new Error(`phyllo ${args.join(' ')}: status ${status}: ${stderr}`)
  return stdout.split('\n').slice(0, -1)
}

/** A directory that is removed when the file's tests have ended. */
export function fileScratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'phyllo-cli-'))
  after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Loads archives, one after the other, into a store that several runs will look at. */
export async function storeWith(root: string, archives: readonly Members[]): Promise<void> {
  const store = await Store.open(root, { durability: 'none', workers: 1 })
  try {
    for (const [index, members] of archives.entries()) {
      const path = `${root}-${index}.tar`
      writeFileSync(path, archiveOf(members))
      await store.load(path)
    }
  } finally {
    await store.close()
  }
}

/** Writes a reference by digest into a repositories.json, as a pull would have: `repository@sha256:…`. */
export function addDigestReference(repositoriesFile: string, repository: string, digest: string, id: string): void {
  const file = JSON.parse(readFileSync(repositoriesFile, 'utf8')) as { Repositories: Record<string, object> }
  file.Repositories[repository] = { ...file.Repositories[repository], [`${repository}@${digest}`]: id }
  writeFileSync(repositoriesFile, JSON.stringify(file))
}
