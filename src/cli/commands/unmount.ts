import type { Command } from '../command.js'

export const command: Command = {
  usage: 'DIR',
  summary: 'Undo `phyllo mount`',
  options: {},
  words: [1, 1],
  async run(context, [directory]) {
    await (await context.store()).unmount(directory!)
  },
}
