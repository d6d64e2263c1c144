/**
 * Decompression by a program of the machine: bytes into its standard input, bytes out of its standard output.
 *
 * Invariants: the program is dead and the source closed before the generator has ended, however it ends; a word on its
 * standard error is a failure even if it exits with 0 (bzip2 only warns of garbage behind the end).
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { isErrno } from '../errors.js'
import { cleanEnvironment, findProgram } from '../native/programs.js'
import { invalid, reasonOf, unsupported } from './invalid.js'

export interface Program {
  readonly name: string
  readonly args: readonly string[]
  /** Added to an otherwise clean environment. */
  readonly environment?: Readonly<Record<string, string>>
  /** What to do where it is missing. */
  readonly advice: string
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/** Bytes of a program's complaint that reach a message. */
const complaintBytes = 1024

export async function* throughProgram(
  source: AsyncIterable<Uint8Array>,
  program: Program,
  label: string,
): AsyncGenerator<Buffer> {
  const path = await findProgram(program.name)
  if (path === undefined)
    throw unsupported(label, program.name, `there is no ${program.name} in PATH. ${program.advice}`)
  const child: Child = spawn(path, program.args, {
    env: { ...cleanEnvironment, ...program.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = endOf(child)
  const complaint = collect(child.stderr)
  const feeding = feed(source, child)
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer
    const end = await ended
    const fed = await feeding
    if (fed.failed) throw fed.error
    if (end === 0 && complaint.text() === '') return
    throw invalid(label, program.name, complaint.text() || `the program ended with ${end}`)
  } finally {
    child.kill('SIGKILL')
    child.stdin.destroy()
    await Promise.all([ended, feeding])
  }
}

/** Status or signal, or why it could not be started. Never rejects. */
async function endOf(child: Child): Promise<number | string> {
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    return status ?? String(signal)
  } catch (error) {
    return reasonOf(error)
  }
}

type Fed = { readonly failed: false } | { readonly failed: true; readonly error: unknown }

/** Never rejects. A program that died has closed its input; why it died is for its status to say. */
async function feed(source: AsyncIterable<Uint8Array>, child: Child): Promise<Fed> {
  const { stdin } = child
  let broken = false
  stdin.on('error', error => {
    broken = broken || isErrno(error, 'EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED')
  })
  const closed = new Promise<void>(resolve => stdin.once('close', resolve))
  try {
    for await (const chunk of source) {
      if (broken || stdin.destroyed) break
      await Promise.race([new Promise<void>(resolve => stdin.write(chunk, () => resolve())), closed])
    }
    stdin.end()
    return { failed: false }
  } catch (error) {
    child.kill('SIGKILL')
    return { failed: true, error }
  }
}

function collect(stream: Readable): { text(): string } {
  let kept = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    if (kept.length < complaintBytes) kept = Buffer.concat([kept, chunk.subarray(0, complaintBytes - kept.length)])
  })
  return { text: () => kept.toString('latin1').trim() }
}
