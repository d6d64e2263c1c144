import type { Command } from '../command.js'

export const command: Command = {
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Give an image a further name',
  options: {},
  words: [2, 2],
  async run(context, words) {
    const [source, target] = words as [string, string]
    await (await context.store(true)).tag(source, target)
  },
}
