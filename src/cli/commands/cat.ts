import { type Command, throwAll } from '../command.js'
import { openTree, type Tree } from '../tree.js'

export const command: Command = {
  usage: 'IMAGE|CONTAINER PATH [PATH...]',
  summary: 'Print files of an image or a container',
  options: {},
  words: [2, Number.POSITIVE_INFINITY],
  async run(context, [image, ...paths]) {
    const { pipeline } = await import('node:stream/promises')
    const { signal, stdout } = context
    const view = await openTree(context, image!)
    const failures: unknown[] = []
    try {
      await pipeline(contentsOf(view, paths, failures), stdout, { signal, end: false })
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      await view.close()
    }
    throwAll(failures)
  },
}

/** One after the other. As cat(1): what can be read is printed, whatever else could not. */
async function* contentsOf(view: Tree, paths: readonly string[], failures: unknown[]): AsyncGenerator<Buffer> {
  for (const path of paths) {
    try {
      yield* view.createReadStream(path, { highWaterMark: 1 << 20 })
    } catch (error) {
      failures.push(error)
    }
  }
}
