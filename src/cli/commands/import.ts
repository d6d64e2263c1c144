import { type Command, listOf, UsageError } from '../command.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '[-c INSTRUCTION] [-m MESSAGE] [--platform OS/ARCH[/VARIANT]] FILE|URL|- [REPOSITORY[:TAG]]',
  summary: 'Make an image out of the tar of a root file system',
  options: {
    change: { type: 'string', short: 'c', multiple: true },
    message: { type: 'string', short: 'm' },
    platform: { type: 'string' },
  },
  words: [1, 2],
  async run(context, [input, reference], { change, message, platform }) {
    const fromStdin = input === '-'
    if (fromStdin && context.stdin().isTTY)
      throw new UsageError('import: a tar is expected on standard input, which is a terminal')
    const operation = (await context.store(true)).import(fromStdin ? context.stdin() : input!, {
      signal: context.signal,
      changes: listOf(change),
      ...(fromStdin && { name: 'stdin' }),
      ...(reference !== undefined && { reference }),
      ...(typeof message === 'string' && { message }),
      ...(typeof platform === 'string' && { platform }),
    })
    const shown = showProgress(operation, context)
    const image = await operation
    for (const note of (await shown).notes) context.stderr.write(`${note}\n`)
    context.print(context.json ? JSON.stringify({ id: image.id, report: operation.report }) : image.id)
  },
}
