import type { Command } from '../command.js'

export const command: Command = {
  usage: 'IMAGE PATH [PATH...]',
  summary: 'Print files of an image',
  options: {},
  words: [2, Number.POSITIVE_INFINITY],
  async run(context, [image, ...paths]) {
    const { pipeline } = await import('node:stream/promises')
    const view = await (await context.store()).view(image!)
    const { signal } = context
    const failures: unknown[] = []
    try {
      // As cat(1): what can be read is printed, whatever else could not.
      for (const path of paths) {
        const content = view.createReadStream(path, { highWaterMark: 1 << 20 })
        await pipeline(content, context.stdout, { signal, end: false }).catch(error => failures.push(error))
        signal.throwIfAborted()
      }
    } finally {
      await view.close()
    }
    if (failures.length > 0) throw failures[0]
  },
}
