import { type Command, UsageError } from '../command.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '[-a] [-q] NAME[:TAG]',
  summary: 'Send an image to a registry',
  details: ['-a, --all-tags  every tag that the repository has here'],
  options: { 'all-tags': { type: 'boolean', short: 'a' } },
  words: [1, 1],
  asksRegistry: true,
  async run(context, [name = ''], { 'all-tags': all }) {
    if (all === true && /[:@][^/]*$/.test(name)) throw new UsageError('push: tag can’t be used with --all-tags/-a')
    const store = await context.store('if possible')
    const { signal } = context
    if (all !== true && !/[:@][^/]*$/.test(name) && !context.quiet && !context.json)
      context.print('Using default tag: latest')
    const operation = all === true ? store.pushAll(name, { signal }) : store.push(name, { signal })
    const said = context.quiet || context.json ? undefined : context.print
    const shown = showProgress(operation, context, said)
    const pushed = [await operation].flat()
    const { notes } = await shown
    if (context.json) return context.print(JSON.stringify({ pushed, report: operation.report }))
    for (const note of notes) context.stderr.write(`${note}\n`)
    if (context.quiet) for (const { reference } of pushed) context.print(reference)
  },
}
