import { type Command, listOf } from '../command.js'
import { confirmed } from '../confirm.js'
import { humanSize } from '../format/size.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '[-a] [-f] [--filter FILTER]',
  summary: 'Remove images that nobody needs',
  details: [
    '-a, --all      all images that no container is made of, not only those without a name',
    '-f, --force    do not ask',
    '--filter       until=TIME or DURATION, label=KEY[=VALUE], label!=KEY[=VALUE], dangling=false',
  ],
  options: {
    all: { type: 'boolean', short: 'a' },
    force: { type: 'boolean', short: 'f' },
    filter: { type: 'string', multiple: true },
  },
  words: [0, 0],
  async run(context, _words, options) {
    const all = options.all === true
    const which = all ? 'all images without at least one container associated to them' : 'all dangling images'
    if (options.force !== true && !(await confirmed(`WARNING! This will remove ${which}.`, context)))
      return context.print('Total reclaimed space: 0B')
    const store = await context.store(true)
    const operation = store.prune({ all, filters: listOf(options.filter), signal: context.signal })
    const shown = showProgress(operation, { ...context, quiet: true })
    const { removed, reclaimedBytes } = await operation
    for (const note of (await shown).notes) context.stderr.write(`phyllo: ${note}\n`)
    if (context.json) return context.print(JSON.stringify({ removed, reclaimedBytes }))
    if (removed.length > 0) {
      context.print('Deleted Images:')
      for (const gone of removed)
        context.print('untagged' in gone ? `untagged: ${gone.untagged}` : `deleted: ${gone.deleted}`)
      context.print('')
    }
    context.print(`Total reclaimed space: ${humanSize(reclaimedBytes, 4)}`)
  },
}
