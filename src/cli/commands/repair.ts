import type { Command } from '../command.js'

export const command: Command = {
  usage: '[--from FILE|DIR|-]',
  summary: 'Heal what check finds',
  details: [
    'By what the store knows twice, from other copies in it, and from an archive or layout directory with --from.',
    'What cannot be healed goes, with the images that need it, to phyllo/quarantine in the store: nothing is deleted.',
    'Exit status 1 when a check of every byte finds something afterwards.',
  ],
  options: { from: { type: 'string' } },
  words: [0, 0],
  async run(context, _words, { from }) {
    const aside = await context.restore()
    if (aside !== undefined) context.print(`repaired store-file: the damaged one is ${aside}`)
    const store = await context.store(true)
    const input = typeof from === 'string' ? from : undefined
    const operation = store.repair({ signal: context.signal, ...(input !== undefined && { from: input }) })
    const { repairs, findings } = await operation
    if (context.json) context.print(JSON.stringify({ repairs, findings, report: operation.report }))
    else
      for (const { finding, outcome, how } of repairs)
        context.print(`${outcome} ${finding.kind} ${finding.path}: ${how}`)
    if (findings.length > 0) throw new Error(`${findings.length} left`)
    if (repairs.length === 0 && !context.json && !context.quiet) context.stderr.write('phyllo: nothing to repair\n')
  },
}
