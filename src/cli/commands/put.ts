import { pipeline } from 'node:stream/promises'
import type { Command } from '../command.js'

export const command: Command = {
  usage: 'CONTAINER PATH',
  summary: 'Write a file of a container from standard input',
  details: ['The directory must be there. A file that is there keeps owner and mode, and loses what was in it.'],
  options: {},
  words: [2, 2],
  async run(context, [name, path]) {
    const container = await (await context.store(true)).container(name!)
    try {
      await pipeline(context.stdin(), container.createWriteStream(path!), { signal: context.signal })
    } catch (error) {
      context.signal.throwIfAborted()
      throw error
    }
  },
}
