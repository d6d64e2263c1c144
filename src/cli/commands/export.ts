import { type Command, UsageError } from '../command.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '[-o FILE|-] CONTAINER',
  summary: 'Write all that a container shows as one tar, to a file or standard output',
  options: { output: { type: 'string', short: 'o' } },
  exactOutput: true,
  words: [1, 1],
  async run(context, [name], { output }) {
    const file = typeof output === 'string' && output !== '-' ? output : undefined
    if (file === undefined && context.stdout.isTTY)
      throw new UsageError('export: cowardly refusing to save to a terminal. Use the -o flag or redirect')
    const container = await (await context.store()).container(name!, { readOnly: true })
    const operation = container.export(file ?? context.stdout, { signal: context.signal })
    // As Docker, which says nothing meanwhile.
    const shown = showProgress(operation, { ...context, quiet: true })
    await operation
    for (const note of (await shown).notes) context.stderr.write(`${note}\n`)
    if (context.json && file !== undefined) context.print(JSON.stringify({ output: file, report: operation.report }))
  },
}
