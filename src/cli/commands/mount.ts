import type { Command } from '../command.js'

export const command: Command = {
  usage: 'IMAGE DIR',
  summary: 'Mount all that an image shows, read-only, on a directory',
  details: [
    'For root on Linux, and stores of the driver overlay2. It stays until `phyllo unmount DIR`; keep the image until then.',
  ],
  options: {},
  words: [2, 2],
  async run(context, [image, directory]) {
    await (await context.store()).mount(image!, directory!)
  },
}
