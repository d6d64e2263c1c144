/**
 * The lock protocol of a store, BSD flock: a lock belongs to the open file description, is seen by every process of
 * the machine, and goes away with its last descriptor, however the process dies. Two ways speak it and exclude each
 * other: flock(2) through koffi, and on Linux flock(1), which locks a descriptor that it inherits and leaves the lock
 * behind when it exits.
 *
 * Invariant: nothing here ever waits for a lock. Two stores of one process would wait for each other for ever.
 */
import { once } from 'node:events'
import { isErrno } from '../errors.js'
import { type Libc, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, loadLibc } from './libc.js'
import { cleanEnvironment, findProgram } from './programs.js'

export interface Flock {
  readonly via: 'libc' | 'flock(1)'
  /**
   * Takes the lock, or says false when somebody else holds it. Turning one's own shared lock into an exclusive one is
   * not atomic: when that says false, the shared lock may be gone as well (flock(2)).
   */
  tryExclusive(fd: number): Promise<boolean>
  tryShared(fd: number): Promise<boolean>
  /** Closing the last descriptor of the open file does the same. */
  unlock(fd: number): Promise<void>
}

/** The best way to lock that this process has; undefined where there is none: then a store opens read-only. */
export async function flockProtocol(): Promise<Flock | undefined> {
  const libc = await loadLibc()
  if (libc !== undefined) return flockByLibc(libc)
  const program = process.platform === 'linux' ? await findProgram('flock') : undefined
  return program === undefined ? undefined : flockByProgram(program)
}

function flockByLibc(libc: Libc): Flock {
  const tryLock = async (fd: number, operation: number) => {
    try {
      libc.flock(fd, operation | LOCK_NB)
      return true
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return false
      throw error
    }
  }
  return {
    via: 'libc',
    tryExclusive: fd => tryLock(fd, LOCK_EX),
    tryShared: fd => tryLock(fd, LOCK_SH),
    unlock: async fd => libc.flock(fd, LOCK_UN),
  }
}

function flockByProgram(program: string): Flock {
  return {
    via: 'flock(1)',
    tryExclusive: fd => runFlock(program, '-x', fd),
    tryShared: fd => runFlock(program, '-s', fd),
    async unlock(fd) {
      if (!(await runFlock(program, '-u', fd))) throw new Error(`${program} -u did not give the lock back`)
    },
  }
}

/** flock(1) exits 1 without a word when the lock is held by another, and says why when it failed. */
async function runFlock(program: string, option: '-x' | '-s' | '-u', fd: number): Promise<boolean> {
  const { spawn } = await import('node:child_process')
  const child = spawn(program, ['-n', option, '3'], {
    env: cleanEnvironment,
    stdio: ['ignore', 'ignore', 'pipe', fd],
  })
  const complaints: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => complaints.push(chunk))
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (status === 0) return true
  const complaint = Buffer.concat(complaints).toString('utf8').trim()
  if (status === 1 && complaint === '') return false
  throw new Error(`${program} failed with ${status ?? signal}: ${complaint}`)
}
