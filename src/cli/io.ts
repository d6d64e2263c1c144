/**
 * What the command line takes from the process that it runs in, and all that it takes, so that it can run anywhere.
 * Standard input is looked at by commands that read it alone: Node opens it then.
 */
import type { Readable, Writable } from 'node:stream'

export type Input = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number }

export interface Io {
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  readonly env: NodeJS.ProcessEnv
  /** Hears of a signal instead of being ended by it, once. */
  once(signal: 'SIGINT' | 'SIGTERM', heard: () => void): unknown
  /** Ends with this status at once, whatever is under way. */
  exit(status: number): void
  readonly pid: number
  kill(pid: number, signal: NodeJS.Signals): unknown
  /** From now on whoever else wants the processor goes first, where the system allows that. */
  giveWay(): void
  /** What runs a little is not worth compiling well: a process cannot end before that is done. */
  compileLater(): void
}
