import { toBytes } from '../../index.js'
import { type Command, UsageError } from '../command.js'
import { printable } from '../long-listing.js'

export const command: Command = {
  usage: '[--style docker|minimal] CONTAINER',
  summary: 'List what a container has added (A), changed (C) and deleted (D)',
  options: { style: { type: 'string' } },
  words: [1, 1],
  async run(context, [name], { style = 'docker' }) {
    if (style !== 'docker' && style !== 'minimal')
      throw new UsageError(`diff: --style is docker or minimal, not ${String(style)}`)
    const container = await (await context.store()).container(name!, { readOnly: true })
    for (const { kind, pathBytes } of container.changes({ style })) {
      context.signal.throwIfAborted()
      context.print(`${kind} ${printable(Buffer.from(toBytes(pathBytes)))}`)
    }
  },
}
