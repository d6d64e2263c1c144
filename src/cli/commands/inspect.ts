import { type Image, PhylloError, type Store } from '../../index.js'
import type { Command } from '../command.js'
import { parseTemplate } from '../format/template.js'
import { imageValue } from '../image-value.js'
import { imageNotFound } from '../not-found.js'

export const command: Command = {
  usage: '[-f TEMPLATE] [--type image] IMAGE [IMAGE...]',
  summary: 'Show all that is known of images',
  options: {
    format: { type: 'string', short: 'f' },
    type: { type: 'string' },
    // Docker's, of containers; nothing to images.
    size: { type: 'boolean', short: 's' },
  },
  words: [1, Number.POSITIVE_INFINITY],
  async run(context, names, { format, type = 'image' }) {
    if (type !== 'image')
      throw new PhylloError('COMMAND_UNSUPPORTED', `inspect --type ${String(type)}: phyllo has images alone`)
    const template =
      typeof format === 'string' && format !== 'json' && format !== '' ? parseTemplate(format) : undefined
    const { images, failure } = await findAll(await context.store(), names)
    const documents = images.map(image => image.inspect())
    if (template !== undefined) for (const document of documents) context.print(template.execute(imageValue(document)))
    else context.print(format === 'json' ? JSON.stringify(documents) : JSON.stringify(documents, undefined, 4))
    if (failure !== undefined) throw failure
  },
}

/** What is there of all that was named, and the error for what is not. */
async function findAll(store: Store, names: readonly string[]): Promise<{ images: Image[]; failure?: PhylloError }> {
  const images: Image[] = []
  const missing: string[] = []
  let invalid: PhylloError | undefined
  for (const name of names) {
    try {
      const image = await store.image(name)
      if (image === undefined) missing.push(name)
      else images.push(image)
    } catch (error) {
      if (!(error instanceof PhylloError) || error.code !== 'REFERENCE_INVALID') throw error
      invalid ??= error
    }
  }
  const failure = missing.length > 0 ? imageNotFound(missing.join(', ')) : invalid
  return { images, ...(failure && { failure }) }
}
