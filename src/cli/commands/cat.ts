import type { Command } from '../command.js'

export const command: Command = {
  usage: 'IMAGE PATH [PATH...]',
  summary: 'Print files of an image',
  options: {},
  words: [2, Number.POSITIVE_INFINITY],
  async run(context, [image, ...paths]) {
    const { pipeline } = await import('node:stream/promises')
    const view = await (await context.store()).view(image!)
    try {
      for (const path of paths) {
        const { signal } = context
        await pipeline(view.createReadStream(path, { highWaterMark: 1 << 20 }), context.stdout, { signal, end: false })
      }
    } finally {
      await view.close()
    }
  },
}
