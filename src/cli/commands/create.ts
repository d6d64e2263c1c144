import type { CreateOptions } from '../../index.js'
import { type Command, type Options, UsageError } from '../command.js'

export const command: Command = {
  usage: '[--name NAME] [--max-bytes BYTES] [--max-entries N] [--directory-rename copy|exdev] IMAGE|scratch',
  summary: 'Make a container: a writable layer over an image',
  options: {
    name: { type: 'string' },
    'max-bytes': { type: 'string' },
    'max-entries': { type: 'string' },
    'directory-rename': { type: 'string' },
  },
  words: [1, 1],
  async run(context, [image], options) {
    const wanted = createOptions(options)
    const container = await (await context.store(true)).create(image!, wanted)
    context.print(context.json ? JSON.stringify({ id: container.id, name: container.name }) : container.id)
  },
}

function createOptions(options: Options): CreateOptions {
  const maxBytes = numberOf(options, 'max-bytes')
  const maxEntries = numberOf(options, 'max-entries')
  const rename = options['directory-rename']
  if (rename !== undefined && rename !== 'copy' && rename !== 'exdev')
    throw new UsageError(`create: --directory-rename is copy or exdev, not ${String(rename)}`)
  return {
    ...(typeof options.name === 'string' && { name: options.name }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(maxEntries !== undefined && { maxEntries }),
    ...(rename !== undefined && { directoryRename: rename }),
  }
}

function numberOf(options: Options, name: string): number | undefined {
  const text = options[name]
  if (text === undefined) return undefined
  const value = /^\d+$/.test(String(text)) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new UsageError(`create: --${name} is a whole number, not ${String(text)}`)
  return value
}
