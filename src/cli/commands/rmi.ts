import { PhylloError } from '../../index.js'
import { type Command, throwAll } from '../command.js'
import { imageNotFound } from '../not-found.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '[-f] [--no-prune] IMAGE [IMAGE...]',
  summary: 'Remove names of images, and images with their last name',
  options: {
    force: { type: 'boolean', short: 'f' },
    'no-prune': { type: 'boolean' },
  },
  words: [1, Number.POSITIVE_INFINITY],
  async run(context, names, options) {
    const store = await context.store(true)
    const [force, prune] = [options.force === true, options['no-prune'] !== true]
    const failures: PhylloError[] = []
    for (const name of names) {
      try {
        const operation = store.remove(name, { force, prune, signal: context.signal })
        const shown = showProgress(operation, { ...context, quiet: true })
        for (const gone of await operation)
          context.print('untagged' in gone ? `Untagged: ${gone.untagged}` : `Deleted: ${gone.deleted}`)
        for (const note of (await shown).notes) context.stderr.write(`phyllo: ${note}\n`)
      } catch (error) {
        if (!(error instanceof PhylloError)) throw error
        failures.push(error.code === 'IMAGE_NOT_FOUND' ? imageNotFound(name) : error)
      }
    }
    // As docker: with -f the command has failed only if something else did than that an image was not there.
    if (!force || failures.some(({ code }) => code !== 'IMAGE_NOT_FOUND')) throwAll(failures)
    for (const { code, message } of failures) context.stderr.write(`phyllo: ${code}: ${message}\n`)
  },
}
