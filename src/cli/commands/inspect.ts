import type { Command } from '../command.js'
import { structured } from '../format/go-value.js'
import { parseTemplate } from '../format/template.js'
import { imageNotFound } from '../not-found.js'

/** Of what the document's objects and nulls are in Go: everything else there is a struct or a pointer. */
const shape = {
  maps: ['ExposedPorts', 'Volumes', 'Labels', 'Data'],
  slices: ['Env', 'Cmd', 'Entrypoint', 'OnBuild', 'Shell', 'RepoTags', 'RepoDigests', 'Layers'],
}

export const command: Command = {
  usage: '[-f TEMPLATE] IMAGE [IMAGE...]',
  summary: 'Show all that is known of images',
  options: { format: { type: 'string', short: 'f' } },
  words: [1, Number.POSITIVE_INFINITY],
  async run(context, names, { format }) {
    const store = await context.store()
    const template = typeof format === 'string' && format !== 'json' ? parseTemplate(format) : undefined
    const documents = []
    let missing: string | undefined
    for (const name of names) {
      const image = await store.image(name)
      if (image === undefined) missing ??= name
      else documents.push(image.inspect())
    }
    if (template !== undefined)
      for (const document of documents) context.print(template.execute(structured(document, shape)))
    else context.print(format === 'json' ? JSON.stringify(documents) : JSON.stringify(documents, undefined, 4))
    if (missing !== undefined) throw imageNotFound(missing)
  },
}
