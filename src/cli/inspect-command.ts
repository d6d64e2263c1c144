/**
 * `inspect`, of images, of containers, and of whichever has the name: the documents in one list, or a line of a template for each.
 * What is there is shown, and for each name that is nothing's there is an error.
 */
import { PhylloError, type Store } from '../index.js'
import { type Command, type Options, throwAll, UsageError } from './command.js'
import { containerValue } from './container-value.js'
import { parseTemplate } from './format/template.js'
import { imageValue } from './image-value.js'
import { imageNotFound } from './not-found.js'

export type Kind = 'image' | 'container' | 'object'

/** Docker's further types of what can be inspected. */
const others = ['network', 'node', 'plugin', 'secret', 'service', 'task', 'volume']

const names: Readonly<Record<Kind, string>> = { image: 'IMAGE', container: 'CONTAINER', object: 'IMAGE|CONTAINER' }
const subjects: Readonly<Record<Kind, string>> = {
  image: 'images',
  container: 'containers',
  object: 'images and containers',
}

const size = { size: { type: 'boolean', short: 's' } } as const

/** `object`: of either, unless `--type` says of which. */
export function inspectCommand(kind: Kind): Command {
  const options = kind === 'object' ? '[-f TEMPLATE] [--type image|container] [-s]' : '[-f TEMPLATE]'
  return {
    usage: `${options}${kind === 'container' ? ' [-s]' : ''} ${names[kind]} [${names[kind]}...]`,
    summary: `Show all that is known of ${subjects[kind]}`,
    options: {
      format: { type: 'string', short: 'f' },
      ...(kind !== 'image' && size),
      ...(kind === 'object' && { type: { type: 'string' } }),
    },
    words: [1, Number.POSITIVE_INFINITY],
    async run(context, words, given) {
      const wanted = kindOf(kind, given)
      const show = showerOf(given)
      const found = await findAll(await context.store(), words, wanted, given.size === true)
      const failures: unknown[] = [...found.failures]
      const shown = show(found.documents, failures)
      for (const line of shown) context.print(line)
      if (given.size === true && found.documents.some(isImage))
        context.stderr.write('WARNING: --size ignored for image\n')
      throwAll(failures)
    },
  }
}

function kindOf(kind: Kind, { type }: Options): Kind {
  if (type === undefined || type === '') return kind
  if (type === 'image' || type === 'container') return type
  if (!others.some(other => other === type)) throw new UsageError(`"${String(type)}" is not a valid value for --type`)
  throw new PhylloError('COMMAND_UNSUPPORTED', `inspect --type ${String(type)}: phyllo has images and containers`)
}

type Document = object

function isImage(document: Document): boolean {
  return 'RepoTags' in document
}

/** Lines to print; what a template cannot be run on is a failure of its own, and the others are shown. */
function showerOf({ format }: Options): (documents: readonly Document[], failures: unknown[]) => string[] {
  if (typeof format !== 'string' || format === '') return documents => [JSON.stringify(documents, undefined, 4)]
  if (format === 'json') return documents => [JSON.stringify(documents)]
  const template = parseTemplate(format)
  return (documents, failures) =>
    documents.flatMap(document => {
      try {
        return [template.execute(isImage(document) ? imageValue(document) : containerValue(document))]
      } catch (error) {
        failures.push(error)
        return []
      }
    })
}

async function findAll(store: Store, words: readonly string[], kind: Kind, size: boolean) {
  const documents: Document[] = []
  const failures: PhylloError[] = []
  for (const name of words) {
    try {
      const document = await store.inspect(name, { size, ...(kind !== 'object' && { type: kind }) })
      if (document === undefined) failures.push(notFound(name, kind))
      else documents.push(document)
    } catch (error) {
      if (!(error instanceof PhylloError) || !told.has(error.code)) throw error
      failures.push(error)
    }
  }
  return { documents, failures }
}

/** Of one name; the others are shown all the same. */
const told: ReadonlySet<string> = new Set(['REFERENCE_INVALID', 'DIGEST_SYNTAX', 'CONTAINER_NOT_FOUND'])

function notFound(name: string, kind: Kind): PhylloError {
  if (kind === 'image') return imageNotFound(name)
  if (kind === 'container')
    return new PhylloError('CONTAINER_NOT_FOUND', `No such container: ${name}`, { container: name })
  return new PhylloError('IMAGE_NOT_FOUND', `No such object: ${name}`, { reference: name })
}
