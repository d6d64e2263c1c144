/**
 * Loaded with `--import` in front of a program: at its end the peak of its resident memory, in KiB, goes to the file
 * that PHYLLO_BENCH_PEAK names. It is the kernel's own figure for this address space; getrusage's would include what
 * the parent had in memory when it forked.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const answer = process.env.PHYLLO_BENCH_PEAK
if (isMainThread && answer !== undefined)
  process.on('exit', () => {
    const peak = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (peak !== undefined) writeFileSync(answer, peak)
  })
