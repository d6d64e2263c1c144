import type { CheckDepth, CheckOptions, Finding } from '../../index.js'
import { type Command, type CommandContext, type Options, UsageError } from '../command.js'

const depths: readonly CheckDepth[] = ['metadata', 'structure', 'full']

export const command: Command = {
  usage: '[--depth metadata|structure|full] [--rate BYTES] [--resume TOKEN]',
  summary: 'Look whether the store is what was written into it',
  details: [
    'One line for each thing that is not: kind, path, reason, and the images, names and containers that need it.',
    'Exit status 1 when there is one. Nothing is changed; others may work on the store meanwhile.',
    '--rate: bytes to read in a second at most. --resume: goes on where a check that was interrupted says that it was.',
  ],
  options: { depth: { type: 'string' }, rate: { type: 'string' }, resume: { type: 'string' } },
  words: [0, 0],
  async run(context, _words, options) {
    const operation = (await context.store()).check({ ...chosen(options), signal: context.signal })
    let resume: string | undefined
    for await (const event of operation) {
      if (event.type === 'progress') resume = event.resume ?? resume
      if (event.type === 'finding' && !context.json) context.print(lineOf(event.finding))
    }
    const report = await operation.catch((error: unknown) => {
      if (resume !== undefined) context.stderr.write(`phyllo: to go on from here: check --resume '${resume}'\n`)
      throw error
    })
    if (context.json) context.print(JSON.stringify({ ...report, report: operation.report }))
    if (report.findings.length > 0) throw new FindingsError(report.findings.length)
    if (!context.json && !context.quiet) tellGood(context, report)
  },
}

/** What a check has found was printed; the status says that there is something. */
class FindingsError extends Error {
  constructor(count: number) {
    super(`${count} ${count === 1 ? 'finding' : 'findings'}`)
  }
}

function tellGood(
  { stderr }: CommandContext,
  { depth, checked }: { readonly depth: CheckDepth; readonly checked: number },
) {
  stderr.write(`phyllo: nothing found (depth ${depth}, ${checked} contents)\n`)
}

function chosen({ depth, rate, resume }: Options): CheckOptions {
  const found = depths.find(one => one === (depth ?? 'full'))
  if (found === undefined) throw new UsageError(`check: --depth is one of ${depths.join(', ')}, not ${String(depth)}`)
  const bytesPerSecond = rate === undefined ? undefined : Number(rate)
  if (bytesPerSecond !== undefined && !(bytesPerSecond > 0))
    throw new UsageError(`check: --rate is a number of bytes, not ${String(rate)}`)
  const token = typeof resume === 'string' ? resume : undefined
  if (token !== undefined && !token.startsWith(`${found}:`))
    throw new UsageError(`check: --resume ${token} is not of a check of depth ${found}`)
  return { depth: found, ...(bytesPerSecond && { bytesPerSecond }), ...(token && { resume: token }) }
}

/** `kind path: reason (images …; names …; containers …)`. */
function lineOf({ kind, path, reason, affects }: Finding): string {
  const words = Object.entries({
    images: affects.images.map(shortOf),
    tags: affects.tags,
    containers: affects.containers.map(shortOf),
  })
  const told = words.filter(([, names]) => names.length > 0).map(([what, names]) => `${what} ${names.join(', ')}`)
  return `${kind} ${path}: ${reason}${told.length === 0 ? '' : ` (${told.join('; ')})`}`
}

function shortOf(id: string): string {
  return id.replace('sha256:', '').slice(0, 12)
}
