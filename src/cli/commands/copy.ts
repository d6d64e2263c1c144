import { type Command, UsageError } from '../command.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '--to DIR [--to-driver NAME] [-q] IMAGE [IMAGE...]',
  summary: 'Copy images into another store',
  details: [
    '--to DIR          the other store; it is made if there is none',
    '--to-driver NAME  packed or overlay2; default: the store’s own, packed for a new one',
    'The names that come along are those of save. --compression, --durability and --workers are for the other store.',
  ],
  options: { to: { type: 'string' }, 'to-driver': { type: 'string' } },
  words: [1, Number.POSITIVE_INFINITY],
  async run(context, words, { to, 'to-driver': driver }) {
    if (typeof to !== 'string' || to === '') throw new UsageError('copy: say where to, by --to DIR')
    if (driver !== undefined && driver !== 'packed' && driver !== 'overlay2')
      throw new UsageError(`copy: --to-driver is packed or overlay2, not ${String(driver)}`)
    const store = await context.store()
    const target = await context.other({ root: to, driver })
    const operation = store.copy(words, target, { signal: context.signal })
    const shown = showProgress(operation, context)
    const images = await operation
    const { tags, notes } = await shown
    const ids = images.map(({ id }) => id)
    if (context.json) return context.print(JSON.stringify({ images: ids, tags, report: operation.report }))
    for (const note of notes) context.print(note)
    for (const tag of tags) context.print(`Copied image: ${tag}`)
    if (tags.length === 0) for (const id of ids) context.print(`Copied image ID: ${id}`)
  },
}
