/** What is mounted where, as this process sees it: /proc/self/mountinfo (proc_pid_mountinfo(5)). */
import { readFile } from 'node:fs/promises'
import type { ByteString } from '../../byte-string.js'
import { isErrno } from '../../errors.js'

export interface Mount {
  readonly at: ByteString
  readonly type: string | undefined
  readonly source: string | undefined
}

/** In the order in which they were mounted. None where there is no /proc. */
export async function mountTable(): Promise<Mount[]> {
  const lines = (await readText('/proc/self/mountinfo')).split('\n').filter(line => line !== '')
  return lines.map(line => {
    const words = line.split(' ')
    const separator = words.indexOf('-')
    return { at: plain(words[4]) as ByteString, type: words[separator + 1], source: words[separator + 2] }
  })
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}

/** The kernel writes space, tab, newline and backslash as octal numbers. */
function plain(word = ''): string {
  return word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
