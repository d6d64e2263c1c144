import { readFileSync } from 'node:fs'

/** The nice value of the thread that asks: field 19 of proc_pid_stat(5), whose second field is a name in parentheses. */
export function priorityOfThisThread(): number {
  const line = readFileSync('/proc/thread-self/stat', 'latin1')
  const behindName = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return Number(behindName[16])
}
