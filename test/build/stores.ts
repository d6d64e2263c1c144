/** Store directories for tests, what stands in them, and other processes that have them open. */
import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { TestContext } from 'node:test'
import { type Io, nodeIo } from '../../src/disk/io.js'

/** A path for a store that does not exist yet, in a folder that goes away with the test. */
export function newRoot(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'phyllo-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'store')
}

/** Every path below the folder with type, mode and content: equal listings are equal trees. */
export function listing(folder: string): string[] {
  const lines: string[] = []
  const open = [folder]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const stats = lstatSync(path)
    const content = stats.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : ''
    const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0')
    lines.push(`${mode} ${relative(folder, path) || '.'} ${content}`.trim())
    if (stats.isDirectory()) open.push(...readdirSync(path).map(name => join(path!, name)))
  }
  return lines.sort()
}

export interface Call {
  readonly operation: keyof Io
  readonly path: string
}

/** node's calls, each told to `before` first; what that throws is what the call fails with. */
export function watchedIo(before: (call: Call) => void): Io {
  const watched: Record<string, unknown> = {}
  for (const [operation, real] of Object.entries(nodeIo) as [keyof Io, (...args: unknown[]) => unknown][]) {
    watched[operation] =
      operation === 'randomName'
        ? real
        : async (...args: unknown[]) => {
            before({ operation, path: String(args.at(['link', 'rename'].includes(operation) ? 1 : 0)) })
            return real(...args)
          }
  }
  return watched as unknown as Io
}

/** What another process is told to do with the store; see store-process.ts. */
export interface StoreProcess {
  readonly child: ChildProcess
  /** Runs one command there and gives its result. */
  ask(command: string, ...args: string[]): Promise<string>
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>
}

export async function startStoreProcess(
  t: TestContext,
  root: string,
  env: NodeJS.ProcessEnv = {},
): Promise<StoreProcess> {
  const child = fork(new URL('./store-process.js', import.meta.url), [root], {
    env: { ...process.env, ...env },
    execArgv: [],
  })
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  t.after(kill)
  const ask = async (...command: string[]) => {
    const answer = Promise.race([once(child, 'message'), exited.then(() => Promise.reject(new Error('it died')))])
    child.send(command)
    const [{ result, error }] = (await answer) as [{ result?: string; error?: string }]
    if (error !== undefined) throw new Error(error)
    return result ?? ''
  }
  await ask('open')
  return { child, ask, kill }
}
