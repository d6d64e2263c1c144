/**
 * Deletes many directories by the machine's rm(1), on two cores at once and beside this thread: a file then costs what the kernel
 * takes for it, and nobody here waits. Whatever it leaves, for whichever reason, is for the caller.
 */
import { spawn } from 'node:child_process'
import { cleanEnvironment, findProgram } from '../native/programs.js'

const lanes = 2
/** Directories in one call: their paths have to fit into the arguments of a program. */
const batch = 500
/** Between two looks whether to stop, milliseconds. */
const lookMs = 20

/** `directories`: absolute paths; their order says nothing. */
export async function deleteByProgram(directories: readonly string[], stopped: () => boolean): Promise<void> {
  const program = await findProgram('rm')
  if (program === undefined) return
  const rest = Array.from({ length: Math.ceil(directories.length / batch) }, (_, at) =>
    directories.slice(at * batch, (at + 1) * batch),
  )
  // Few directories are dealt out, so that both have as much to do.
  const shares = rest.length >= lanes ? rest : deal(directories)
  const lane = async () => {
    for (let share = shares.pop(); share !== undefined && !stopped(); share = shares.pop())
      await runProgram(program, ['-rf', '--', ...share], stopped)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

function deal(directories: readonly string[]): string[][] {
  return Array.from({ length: lanes }, (_, lane) => directories.filter((_, at) => at % lanes === lane))
}

async function runProgram(program: string, args: readonly string[], stopped: () => boolean): Promise<void> {
  const child = spawn(program, args, { stdio: 'ignore', env: { ...cleanEnvironment } })
  const looking = setInterval(() => stopped() && child.kill(), lookMs)
  // One that cannot be started has deleted nothing: that is for the caller, too.
  await new Promise<void>(resolve => void child.once('close', () => resolve()).once('error', () => resolve()))
  clearInterval(looking)
}
