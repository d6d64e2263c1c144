/** Asks before something goes that cannot be had back: Docker's question, answered by one line of standard input. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { CommandContext } from './command.js'

/** Only `y` is yes. The end of the input is no. */
export async function confirmed(warning: string, { stdin, stdout, signal }: CommandContext): Promise<boolean> {
  stdout.write(`${warning}\nAre you sure you want to continue? [y/N] `)
  const lines = createInterface({ input: stdin(), crlfDelay: Number.POSITIVE_INFINITY })
  try {
    const [answer] = (await Promise.race([
      once(lines, 'line', { signal }),
      once(lines, 'close', { signal }).then(() => ['']),
    ])) as [string]
    return answer.toLowerCase() === 'y'
  } finally {
    lines.close()
  }
}
