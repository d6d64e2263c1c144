import type { Command } from '../command.js'
import { humanSize } from '../format/size.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '[--dry-run]',
  summary: 'Delete what nothing uses; images stay, with or without a name',
  details: [
    '--dry-run      only tell what would go, and how many bytes of the disk it has',
    '',
    'Each line is a kind, allocated bytes and a name. Kinds: layer (its record), content (what it contains), container, stage,',
    'lease and metadata (what dead processes have left), partial (a download that stopped a week ago), trash.',
  ],
  options: { 'dry-run': { type: 'boolean' } },
  words: [0, 0],
  givesWay: true,
  async run(context, _words, options) {
    const dryRun = options['dry-run'] === true
    // What opening would clear away is garbage as well, and to be told.
    const store = await context.store(true, false)
    const operation = store.gc({ dryRun, signal: context.signal })
    const shown = showProgress(operation, { ...context, quiet: true })
    const { garbage, freedBytes, foreign } = await operation
    for (const note of (await shown).notes) context.stderr.write(`phyllo: ${note}\n`)
    for (const name of foreign) context.stderr.write(`phyllo: overlay2/${name} is not in use and not ours: it stays\n`)
    if (context.json) return context.print(JSON.stringify({ dryRun, garbage, freedBytes, foreign }))
    if (!context.quiet) for (const { kind, bytes, name } of garbage) context.print(`${kind}\t${bytes}\t${name}`)
    context.print(`${dryRun ? 'Would free' : 'Freed'} ${humanSize(freedBytes)} (${freedBytes} bytes)`)
  },
}
