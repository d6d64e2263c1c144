import type { Image } from '../../index.js'
import { ageOf } from '../age.js'
import type { Command } from '../command.js'
import { formatListing } from '../format/listing.js'
import { humanSize } from '../format/size.js'
import { imageNotFound } from '../not-found.js'

/** Docker cuts the command there, and puts an ellipsis in the last place. */
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
  options: { 'no-trunc': { type: 'boolean' }, human: { type: 'string', short: 'H' } },
  words: [1, 1],
  async run(context, [name], options) {
    const image = await (await context.store()).image(name!)
    if (image === undefined) throw imageNotFound(name!)
    const whole = options['no-trunc'] === true
    const human = options.human !== 'false'
    const created = human ? '{{.CreatedSince}}' : '{{.CreatedAt}}'
    const table = `table {{.ID}}\t${created}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`
    const format = context.quiet ? '{{.ID}}' : typeof options.format === 'string' ? options.format : table
    context.stdout.write(formatListing({ format, headers, rows: rowsOf(image, whole, human) }))
  },
}

function rowsOf(image: Image, whole: boolean, human: boolean) {
  return image.history().map(({ id, created, createdBy, sizeBytes, comment }) => {
    const { at, since } = ageOf(created)
    return {
      ID: id === undefined ? '<missing>' : whole ? id : id.slice(7, 19),
      CreatedSince: since,
      CreatedAt: at,
      CreatedBy: shorten(createdBy.replaceAll('\t', ' '), whole),
      Size: human ? humanSize(sizeBytes, 3) : String(sizeBytes),
      Comment: comment,
    }
  })
}

function shorten(text: string, whole: boolean): string {
  const characters = [...text]
  return whole || characters.length <= createdByWidth ? text : `${characters.slice(0, createdByWidth - 1).join('')}…`
}
