import type { Image, PulledTag } from '../../index.js'
import { type Command, type CommandContext, type OptionValue, throwAll, UsageError } from '../command.js'
import { showProgress, type Told } from '../progress.js'

export const command: Command = {
  usage: '[-a] [--platform OS/ARCH[/VARIANT]] [--blobs keep|drop] [--concurrent-downloads N] [-q] NAME[:TAG|@DIGEST]',
  summary: 'Bring an image, or every tag of a repository, from a registry',
  details: [
    '-a, --all-tags                     every tag of the repository',
    '--platform OS/ARCH[/VARIANT]       of an index; default: this machine’s',
    '--blobs keep|drop                  keep the compressed blobs, so that a push sends them as they came; default: drop',
    '--concurrent-downloads N           blobs at once; default: 3',
    'What an earlier pull has fetched, whole or in part, is not fetched again.',
  ],
  options: {
    'all-tags': { type: 'boolean', short: 'a' },
    platform: { type: 'string' },
    blobs: { type: 'string' },
    'concurrent-downloads': { type: 'string' },
  },
  words: [1, 1],
  asksRegistry: true,
  async run(context, [name = ''], { 'all-tags': all, platform }) {
    const isBare = !name.includes('@') && !name.slice(name.lastIndexOf('/') + 1).includes(':')
    if (all === true && !isBare) throw new UsageError("pull: tag can't be used with --all-tags/-a")
    await (all === true ? pullAll(context, name, platform) : pullOne(context, name, platform, isBare))
  },
}

async function pullOne(context: CommandContext, name: string, platform: OptionValue, isBare: boolean): Promise<void> {
  if (isBare && !context.quiet && !context.json) context.print('Using default tag: latest')
  const store = await context.store(true)
  const operation = store.pull(name, { signal: context.signal, ...(typeof platform === 'string' && { platform }) })
  const shown = showProgress(operation, context)
  const image = await operation
  tell(context, await shown, [image], { report: operation.report })
}

async function pullAll(context: CommandContext, name: string, platform: OptionValue): Promise<void> {
  const store = await context.store(true)
  const operation = store.pullAll(name, { signal: context.signal, ...(typeof platform === 'string' && { platform }) })
  const shown = showProgress(operation, context)
  const results: readonly PulledTag[] = await operation
  const images = results.flatMap(({ image }) => image ?? [])
  const failed = results.flatMap(({ reference, error }) => (error === undefined ? [] : [reference]))
  tell(context, await shown, images, { failed, report: operation.report })
  throwAll(results.flatMap(({ error }) => error ?? []))
}

/** The last line is the whole name, which is all that a quiet pull says. */
function tell(context: CommandContext, { status, names, notes }: Told, images: readonly Image[], more: object): void {
  const ids = [...new Set(images.map(({ id }) => id))]
  if (context.json) context.print(JSON.stringify({ images: ids, names, status, ...more }))
  if (context.json) return
  if (!context.quiet) for (const line of [...notes, ...status]) context.print(line)
  for (const line of names) context.print(line)
}
