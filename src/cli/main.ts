#!/usr/bin/env node
/** The program `phyllo`: the command line with this process's words, streams, signals and exit status. */
import { runCommandLine } from './run.js'

// What is said there is lost when nobody reads it, and nothing else is.
process.stderr.on('error', () => undefined)
runCommandLine(process.argv.slice(2), process).then(status => (process.exitCode = status))
