import { type Command, type CommandContext, type Options, UsageError } from '../command.js'
import { humanSize } from '../format/size.js'
import { showProgress } from '../progress.js'

export const command: Command = {
  usage: '--to DIR [--to-driver NAME] [-q] IMAGE [IMAGE...], or docker://FROM docker://TO',
  summary: 'Copy images into another store, or from registry to registry',
  details: [
    '--to DIR          the other store; it is made if there is none',
    '--to-driver NAME  packed or overlay2; default: the store’s own, packed for a new one',
    'The names that come along are those of save. --compression, --durability and --workers are for the other store.',
    '',
    'docker://FROM docker://TO are images in registries: what moves between these touches no store.',
    '--platform OS/ARCH[/VARIANT]  of an index that image alone; default: the whole index',
    '--referrers       signatures and SBOMs that refer to it as well',
  ],
  options: {
    to: { type: 'string' },
    'to-driver': { type: 'string' },
    platform: { type: 'string' },
    referrers: { type: 'boolean' },
  },
  words: [1, Number.POSITIVE_INFINITY],
  asksRegistry: true,
  async run(context, words, { to, 'to-driver': driver, platform, referrers }) {
    if (words.some(isRemote)) return copyRemote(context, words, { to, driver, platform, referrers })
    if (platform !== undefined || referrers !== undefined)
      throw new UsageError('copy: --platform and --referrers are for docker://FROM docker://TO')
    if (typeof to !== 'string' || to === '') throw new UsageError('copy: say where to, by --to DIR')
    if (driver !== undefined && driver !== 'packed' && driver !== 'overlay2')
      throw new UsageError(`copy: --to-driver is packed or overlay2, not ${String(driver)}`)
    const store = await context.store()
    const target = await context.other({ root: to, driver })
    const operation = store.copy(words, target, { signal: context.signal })
    const shown = showProgress(operation, context)
    const images = await operation
    const { tags, notes } = await shown
    const ids = images.map(({ id }) => id)
    if (context.json) return context.print(JSON.stringify({ images: ids, tags, report: operation.report }))
    for (const note of notes) context.print(note)
    for (const tag of tags) context.print(`Copied image: ${tag}`)
    if (tags.length === 0) for (const id of ids) context.print(`Copied image ID: ${id}`)
  },
}

/** As skopeo names what is in a registry. No reference to an image in a store has a colon and two slashes. */
const remote = 'docker://'

function isRemote(word: string): boolean {
  return word.startsWith(remote)
}

async function copyRemote(context: CommandContext, words: readonly string[], options: Options): Promise<void> {
  const { to, driver, platform, referrers } = options
  if (to !== undefined || driver !== undefined)
    throw new UsageError('copy: --to and --to-driver are for stores, docker:// for registries')
  if (words.length !== 2 || !words.every(isRemote))
    throw new UsageError('copy: between registries it takes docker://FROM docker://TO')
  const [from = '', target = ''] = words.map(word => word.slice(remote.length))
  const store = await context.store()
  const operation = store.copyRemote(from, target, {
    signal: context.signal,
    referrers: referrers === true,
    ...(typeof platform === 'string' && { platform }),
  })
  const shown = showProgress(operation, context)
  const copied = await operation
  const { tags, notes } = await shown
  if (context.json) return context.print(JSON.stringify({ ...copied, tags, report: operation.report }))
  for (const note of notes) context.print(note)
  for (const tag of tags) context.print(`Copied image: ${tag}`)
  context.print(`Digest: ${copied.digest}`)
  const { bytesMounted, bytesExisting, bytesStreamed } = copied
  const said = [`mounted ${humanSize(bytesMounted, 3)}`, `already there ${humanSize(bytesExisting, 3)}`]
  if (!context.quiet)
    context.stderr.write(`Layers: ${[...said, `streamed ${humanSize(bytesStreamed, 3)}`].join(', ')}\n`)
}
