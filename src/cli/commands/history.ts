import type { HistoryItem } from '../../index.js'
import { stepAge } from '../age.js'
import type { Command } from '../command.js'
import { ellipsis } from '../format/ellipsis.js'
import { formatListing } from '../format/listing.js'
import { humanSize } from '../format/size.js'
import { referenceNotFound } from '../not-found.js'

/** Docker cuts the command there. */
const createdByWidth = 45

const headers = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
}

export const command: Command = {
  usage: '[--no-trunc] [-q] [-H=false] [--format TEMPLATE] IMAGE',
  summary: 'Show how an image was made, newest step first',
  options: {
    'no-trunc': { type: 'boolean' },
    human: { type: 'boolean', short: 'H' },
    'not-human': { type: 'boolean' },
    format: { type: 'string' },
  },
  words: [1, 1],
  async run(context, [name], options) {
    const store = await context.store()
    const history = await store.history(name!)
    if (history === undefined) throw referenceNotFound(name!)
    const whole = options['no-trunc'] === true
    const human = options['not-human'] !== true
    const created = human ? '{{.CreatedSince}}' : '{{.CreatedAt}}'
    const table = `table {{.ID}}\t${created}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`
    const own = typeof options.format === 'string' && !['', 'table'].includes(options.format)
    const format = own ? String(options.format) : context.quiet ? '{{.ID}}' : table
    const rows = history.map(item => rowOf(item, whole, human))
    context.stdout.write(formatListing({ format, headers, rows }))
  },
}

function rowOf({ id, created, createdBy, sizeBytes, comment }: HistoryItem, whole: boolean, human: boolean) {
  const { at, since } = stepAge(created)
  return {
    ID: id === undefined ? '<missing>' : whole ? id : id.slice(7, 19),
    CreatedSince: since,
    CreatedAt: at,
    CreatedBy: shorten(createdBy.replaceAll('\t', ' '), whole),
    Size: human ? humanSize(sizeBytes, 3) : String(sizeBytes),
    Comment: comment,
  }
}

function shorten(text: string, whole: boolean): string {
  return whole ? text : ellipsis(text, createdByWidth)
}
