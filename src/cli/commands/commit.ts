import { type Command, listOf } from '../command.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '[-a AUTHOR] [-m MESSAGE] [-c INSTRUCTION] [-p] CONTAINER [REPOSITORY[:TAG]]',
  summary: 'Make an image of what a container has changed',
  options: {
    author: { type: 'string', short: 'a' },
    message: { type: 'string', short: 'm' },
    change: { type: 'string', short: 'c', multiple: true },
    // Docker's, which stops the container for a commit of one moment. Ours is one of the moment of the call in any case.
    pause: { type: 'boolean', short: 'p' },
  },
  words: [1, 2],
  async run(context, [name, tag], { author, message, change }) {
    const container = await (await context.store(true)).container(name!)
    const operation = container.commit({
      signal: context.signal,
      changes: listOf(change),
      ...(tag !== undefined && { tag }),
      ...(typeof author === 'string' && { author }),
      ...(typeof message === 'string' && { message }),
    })
    // As Docker, which says nothing meanwhile.
    const shown = showProgress(operation, { ...context, quiet: true })
    const image = await operation
    for (const note of (await shown).notes) context.stderr.write(`${note}\n`)
    context.print(context.json ? JSON.stringify({ id: image.id, report: operation.report }) : image.id)
  },
}
