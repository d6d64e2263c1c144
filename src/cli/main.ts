#!/usr/bin/env node
/** The program `phyllo`: the command line with this process's words, streams, signals and exit status. */
import { constants, setPriority } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import type { Io } from './io.js'
import { runCommandLine } from './run.js'

/**
 * How far code of WebAssembly runs, roughly in bytes of machine code, before V8 compiles it once more, and well. Two answers of a
 * registry are 20 million for undici's parser of HTTP, whose compiling takes 0.1 s; here it pays after seven or so.
 */
const wasmTieringBudget = 100_000_000

const io: Io = {
  get stdin() {
    return process.stdin
  },
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  pid: process.pid,
  once: (signal, heard) => process.once(signal, heard),
  exit: status => process.exit(status),
  kill: (pid, signal) => process.kill(pid, signal),
  giveWay() {
    try {
      setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
    } catch {
      // Not allowed here: then it goes on as it was.
    }
  },
  compileLater: () => setFlagsFromString(`--wasm-tiering-budget=${wasmTieringBudget}`),
}

// What is said there is lost when nobody reads it, and nothing else is.
process.stderr.on('error', () => undefined)
runCommandLine(process.argv.slice(2), io).then(status => (process.exitCode = status))
