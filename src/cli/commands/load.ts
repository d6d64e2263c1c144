import type { Command } from '../command.js'
import { UsageError } from '../command.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '[-i FILE|-] [--platform OS/ARCH[/VARIANT]] [-q]',
  summary: 'Load images from an archive, a layout directory or standard input',
  options: { input: { type: 'string', short: 'i' }, platform: { type: 'string' } },
  words: [0, 0],
  async run(context, _words, { input, platform }) {
    const file = typeof input === 'string' && input !== '-' ? input : undefined
    if (file === undefined && context.stdin().isTTY)
      throw new UsageError('load: requested load from stdin, but stdin is empty: use -i FILE')
    const store = await context.store(true)
    const operation = store.load(file ?? context.stdin(), {
      signal: context.signal,
      ...(file === undefined && { name: 'stdin' }),
      ...(typeof platform === 'string' && { platform }),
    })
    const shown = showProgress(operation, context)
    const images = await operation
    const { tags, notes } = await shown
    if (context.json)
      return context.print(JSON.stringify({ images: images.map(({ id }) => id), tags, report: operation.report }))
    for (const note of notes) context.print(note)
    for (const tag of tags) context.print(`Loaded image: ${tag}`)
    // As docker load: ids only when the last image came without a name.
    if (images.at(-1)?.tags.length === 0) for (const { id } of images) context.print(`Loaded image ID: ${id}`)
  },
}
