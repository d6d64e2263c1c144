import type { Image } from '../../index.js'
import { imageAge } from '../age.js'
import { type Command, listOf, type Options } from '../command.js'
import { formatListing } from '../format/listing.js'
import { humanSize } from '../format/size.js'

const none = '<none>'

const headers = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
}

export const command: Command = {
  usage: '[-a] [-q] [--digests] [--no-trunc] [-f FILTER] [--format TEMPLATE] [REPOSITORY[:TAG]]',
  summary: 'List images',
  options: {
    all: { type: 'boolean', short: 'a' },
    digests: { type: 'boolean' },
    'no-trunc': { type: 'boolean' },
    filter: { type: 'string', short: 'f', multiple: true },
    format: { type: 'string' },
  },
  words: [0, 1],
  async run(context, [reference], options) {
    const filters = listOf(options.filter)
    if (reference !== undefined) filters.push(`reference=${reference}`)
    const store = await context.store()
    const images = await store.images({ all: options.all === true, filters })
    const format = formatOf(options)
    const withDigest = options.digests === true || format.includes('{{.Digest}}')
    const rows = images.flatMap(image => rowsOf(image, withDigest, options['no-trunc'] === true))
    context.stdout.write(formatListing({ format, headers, rows }))
  },
}

function formatOf({ quiet, digests, format }: Options): string {
  if (format === 'raw') return quiet === true ? 'image_id: {{.ID}}' : rawFormat(digests === true)
  if (typeof format === 'string' && format !== 'table' && format !== '') return format
  if (quiet === true) return '{{.ID}}'
  const digest = digests === true ? '\t{{if .Digest}}{{.Digest}}{{else}}<none>{{end}}' : ''
  return `table {{.Repository}}\t{{.Tag}}${digest}\t{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}`
}

function rawFormat(digests: boolean): string {
  const digest = digests ? 'digest: {{.Digest}}\\n' : ''
  const rest = 'image_id: {{.ID}}\\ncreated_at: {{.CreatedAt}}\\nvirtual_size: {{.Size}}\\n'
  return `repository: {{.Repository}}\\n${digest}tag: {{.Tag}}\\n${rest}`
}

/** A row for each tag; with digests, for each tag and digest of one repository; for what has neither, one of `<none>`. */
function rowsOf(image: Image, withDigest: boolean, whole: boolean) {
  const age = imageAge(image.config.created)
  const facts = {
    ID: whole ? image.id : image.id.slice(7, 19),
    CreatedSince: age.since,
    Size: humanSize(image.sizeBytes, 3),
    VirtualSize: humanSize(image.sizeBytes, 4),
    Containers: 'N/A',
    SharedSize: 'N/A',
    UniqueSize: 'N/A',
  }
  return namesOf(image, withDigest).map(([Repository, Tag, Digest]) => ({
    ...{ Repository, Tag, Digest, ...facts },
    get CreatedAt() {
      return age.at
    },
  }))
}

function namesOf(image: Image, withDigest: boolean): [repository: string, tag: string, digest: string][] {
  const tags = grouped(image.tags, ':')
  const digests = grouped(image.digests, '@')
  const names: [string, string, string][] = []
  for (const repository of new Set([...tags.keys(), ...digests.keys()])) {
    const mine = (withDigest && digests.get(repository)) || [none]
    for (const tag of tags.get(repository) ?? [none]) for (const digest of mine) names.push([repository, tag, digest])
  }
  return names.length > 0 ? names : [[none, none, none]]
}

/** References by repository; `separator` stands before what is left. */
function grouped(references: readonly string[], separator: ':' | '@'): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const reference of references) {
    const at = separator === '@' ? reference.indexOf('@') : reference.lastIndexOf(':')
    const repository = reference.slice(0, at)
    groups.set(repository, [...(groups.get(repository) ?? []), reference.slice(at + 1)])
  }
  return groups
}
