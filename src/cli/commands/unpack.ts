import type { UnpackOptions, UnpackReport } from '../../index.js'
import { type Command, UsageError } from '../command.js'
import { showProgress } from '../progress.js'

const ways = ['copy', 'reflink', 'hardlink'] as const

export const command: Command = {
  usage: '[--links copy|reflink|hardlink] IMAGE DIR',
  summary: 'Write all that an image shows into a directory',
  details: [
    'DIR is not there yet, or empty. It gets its name when all is written; until then it is .DIR.*.part beside it.',
    'As root: owners, devices, set-id bits and xattrs as in the image. Else what could not be set is told on stderr.',
    '--links: with an overlay2 store on the same file system, files may share contents with it: reflink is as good as',
    'a copy; hardlink gives the very files of the store, and is for directories that nobody writes to.',
  ],
  options: { links: { type: 'string' } },
  words: [2, 2],
  async run(context, [image, directory], options) {
    const links = ways.find(way => way === (options.links ?? 'copy'))
    if (links === undefined)
      throw new UsageError(`unpack: --links is one of ${ways.join(', ')}, not ${String(options.links)}`)
    const chosen: UnpackOptions = { signal: context.signal, ...(links !== 'copy' && { links }) }
    const operation = (await context.store()).unpack(image!, directory!, chosen)
    const shown = showProgress(operation, context)
    const report = await operation
    await shown
    if (context.json) context.print(JSON.stringify({ ...report, report: operation.report }))
    else for (const line of linesOf(report)) context.stderr.write(`${line}\n`)
  },
}

const words: Readonly<Record<keyof UnpackReport['notSet'], string>> = {
  owners: 'not given to their owners',
  setid: 'without their set-id bits',
  modes: 'not all permissions set',
  xattrs: 'not all xattrs set',
  devices: 'devices, not made',
  fifos: 'named pipes, not made',
  times: 'times to the microsecond only',
}

function* linesOf({ notSet }: UnpackReport): Generator<string> {
  for (const [kind, text] of Object.entries(words)) {
    const { count, examples } = notSet[kind as keyof typeof words]
    if (count > 0) yield `${count} ${text}: ${examples.join(', ')}${count > examples.length ? ', …' : ''}`
  }
}
