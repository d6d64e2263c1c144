import { PhylloError } from '../../index.js'
import { type Command, throwAll } from '../command.js'

export const command: Command = {
  usage: '[-f] CONTAINER [CONTAINER...]',
  summary: 'Remove containers',
  options: {
    force: { type: 'boolean', short: 'f' },
    // Docker's: containers have no anonymous volumes here.
    volumes: { type: 'boolean', short: 'v' },
  },
  words: [1, Number.POSITIVE_INFINITY],
  async run(context, names, { force }) {
    const store = await context.store(true)
    const failures: unknown[] = []
    for (const name of names) {
      try {
        await store.removeContainer(name)
        context.print(name)
      } catch (error) {
        if (!(error instanceof PhylloError)) throw error
        if (force !== true || error.code !== 'CONTAINER_NOT_FOUND') failures.push(error)
      }
    }
    throwAll(failures)
  },
}
