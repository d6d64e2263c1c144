/** Whole processes, as users start them: the command line of this build, and those of peers. */
import { spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'

export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: Readable
}

/** As the package ships it. */
const cli = fileURLToPath(new URL('../bundle/src/cli/main.js', import.meta.url))
const peakMemoryHook = new URL('./peak-memory.js', import.meta.url).href

/** The command line of this build on a store. */
export function phyllo(root: string, args: readonly string[]): string[] {
  return [process.execPath, cli, '--root', root, ...args]
}

/** Runs to the end and answers with standard output. Fails when the process does, with what it said. */
export async function runProcess(
  [program = '', ...args]: readonly string[],
  { env, input }: ProcessOptions = {},
): Promise<string> {
  const child = spawn(program, args, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const output: Buffer[] = []
  let complaint = ''
  child.stdout!.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr!.on('data', (chunk: Buffer) => (complaint = `${complaint}${chunk}`.slice(-2000)))
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => resolve(status ?? signal))
  })
  // A child that fails closes its end; its status says more than our broken pipe.
  const fed = input === undefined ? undefined : pipeline(input, child.stdin!).catch((error: unknown) => error)
  const status = await ended
  input?.destroy()
  const failure = await fed
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')}: status ${status}: ${complaint.trim()}`)
  if (failure !== undefined) throw failure
  return Buffer.concat(output).toString()
}

let runs = 0

/** Runs the command line and answers with its peak memory, all threads included, in MB of 10^6 bytes. */
export async function peakMemory(root: string, args: readonly string[], options: ProcessOptions = {}): Promise<number> {
  const answer = join(tmpdir(), `phyllo-bench-peak-${process.pid}-${runs++}`)
  const [node = '', ...rest] = phyllo(root, args)
  try {
    await runProcess([node, '--import', peakMemoryHook, ...rest], { ...options, env: { PHYLLO_BENCH_PEAK: answer } })
    return (Number(await readFile(answer, 'utf8')) * 1024) / 1e6
  } finally {
    await rm(answer, { force: true })
  }
}
