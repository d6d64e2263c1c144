import { type Command, UsageError } from '../command.js'
import { showProgress } from '../progress.js'

const formats = ['docker-archive', 'oci-archive'] as const

export const command: Command = {
  usage: '[-o FILE|-] [--format docker-archive|oci-archive] IMAGE [IMAGE...]',
  summary: 'Save images to an archive, or to standard output',
  options: { output: { type: 'string', short: 'o' }, format: { type: 'string' } },
  exactOutput: true,
  words: [1, Number.POSITIVE_INFINITY],
  async run(context, words, options) {
    const format = formats.find(name => name === (options.format ?? 'docker-archive'))
    if (format === undefined && options.format !== 'json')
      throw new UsageError(`save: --format is one of ${formats.join(', ')}, not ${String(options.format)}`)
    const file = typeof options.output === 'string' && options.output !== '-' ? options.output : undefined
    if (file === undefined && context.stdout.isTTY)
      throw new UsageError('save: cowardly refusing to save to a terminal. Use the -o flag or redirect')
    const store = await context.store()
    const operation = store.save(words, file ?? context.stdout, { signal: context.signal, ...(format && { format }) })
    const shown = showProgress(operation, context)
    await operation
    await shown
    if (context.json && file !== undefined) context.print(JSON.stringify({ output: file, report: operation.report }))
  },
}
