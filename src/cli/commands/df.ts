/** `docker system df`, with a line more: what the store really has on the disk. */
import type { ContainerInfo, DiskUsage, Store } from '../../index.js'
import { imageAge } from '../age.js'
import type { Command } from '../command.js'
import { containerRow } from '../container-listing.js'
import { formatListing } from '../format/listing.js'
import { humanSize } from '../format/size.js'
import { ourRow } from '../listed-container.js'

const headers = {
  Type: 'TYPE',
  TotalCount: 'TOTAL',
  Active: 'ACTIVE',
  Size: 'SIZE',
  Reclaimable: 'RECLAIMABLE',
}
const tableFormat = 'table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}'
const rawFormat =
  'type: {{.Type}}\\ntotal: {{.TotalCount}}\\nactive: {{.Active}}\\nsize: {{.Size}}\\nreclaimable: {{.Reclaimable}}\\n'

const imageHeaders = {
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  ID: 'IMAGE ID',
  CreatedSince: 'CREATED',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
  Containers: 'CONTAINERS',
}
const containerHeaders = {
  ID: 'CONTAINER ID',
  Image: 'IMAGE',
  Command: 'COMMAND',
  LocalVolumes: 'LOCAL VOLUMES',
  Size: 'SIZE',
  RunningFor: 'CREATED',
  Status: 'STATUS',
  Names: 'NAMES',
}

export const command: Command = {
  usage: '[-v] [--format TEMPLATE]',
  summary: 'Show how much room images and containers take, and the store on the disk',
  details: [
    '-v, --verbose  every image and every container',
    '--format       a Go template over Type, TotalCount, Active, Size, Reclaimable; with -v one over Images, Containers,',
    '               Volumes and BuildCache; `table TEMPLATE` with titles; json',
    '',
    'Without --format the last line is what the store has on the disk, as du(1) counts it: one layer is stored once, compressed.',
  ],
  options: { verbose: { type: 'boolean', short: 'v' }, format: { type: 'string' } },
  words: [0, 0],
  async run(context, _words, options) {
    const store = await context.store()
    const usage = await store.diskUsage({ signal: context.signal })
    const format = typeof options.format === 'string' && options.format !== 'table' ? options.format : ''
    const verbose = options.verbose === true
    if (format === '') {
      const table = verbose
        ? await sections(store, usage)
        : formatListing({ format: tableFormat, headers, rows: rowsOf(usage) })
      context.stdout.write(`${table}\n${diskLine(usage)}\n`)
    } else if (verbose)
      context.stdout.write(formatListing({ format, headers: {}, rows: [await documentOf(store, usage)] }))
    else
      context.stdout.write(
        formatListing({ format: format === 'raw' ? rawFormat : format, headers, rows: rowsOf(usage) }),
      )
  },
}

function diskLine({ diskBytes }: DiskUsage): string {
  return `On disk: ${humanSize(diskBytes)} (${diskBytes} bytes)`
}

function rowsOf({ images, containers }: DiskUsage) {
  const none = { total: 0, active: 0, sizeBytes: 0, reclaimableBytes: 0 }
  const all = { Images: images, Containers: containers, 'Local Volumes': none, 'Build Cache': none }
  return Object.entries(all).map(([Type, { total, active, sizeBytes, reclaimableBytes }]) => {
    const part = sizeBytes > 0 ? ` (${Math.trunc((reclaimableBytes * 100) / sizeBytes)}%)` : ''
    return {
      Type,
      TotalCount: String(total),
      Active: String(active),
      Size: humanSize(sizeBytes),
      Reclaimable: humanSize(reclaimableBytes) + part,
    }
  })
}

/** The tables of `-v`; those of volumes and build cache, which phyllo has none of, are titles alone. */
async function sections(store: Store, usage: DiskUsage): Promise<string> {
  const images = formatListing({
    format: `table ${Object.keys(imageHeaders)
      .map(name =>
        name === 'CreatedSince' ? '{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}' : `{{.${name}}}`,
      )
      .join('\t')}`,
    headers: imageHeaders,
    rows: imageRows(usage, false),
  })
  const containers = formatListing({
    format: `table ${Object.keys(containerHeaders)
      .map(name => `{{.${name}}}`)
      .join('\t')}`,
    headers: containerHeaders,
    rows: await containerRows(store, usage, false),
  })
  return [
    `Images space usage:\n\n${images}`,
    `Containers space usage:\n\n${containers}`,
    'Local Volumes space usage:\n\nVOLUME NAME   LINKS     SIZE\n',
    'Build cache usage: 0B\n\nCACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n',
  ].join('\n')
}

async function documentOf(store: Store, usage: DiskUsage) {
  const Containers = await containerRows(store, usage, true)
  return { Images: imageRows(usage, true), Containers, Volumes: [], BuildCache: [] }
}

/** A row an image, with its first tag. */
function imageRows({ images }: DiskUsage, whole: boolean) {
  return images.list.map(({ image, sharedBytes, uniqueBytes, containers }) => {
    const { at, since } = imageAge(image.config.created)
    const [tag] = image.tags
    const colon = tag?.lastIndexOf(':')
    return {
      Containers: String(containers),
      CreatedAt: at,
      CreatedSince: since,
      Digest: '',
      ID: whole ? image.id : image.id.slice(7, 19),
      Repository: tag?.slice(0, colon) ?? '<none>',
      SharedSize: humanSize(sharedBytes),
      Size: humanSize(image.sizeBytes, 3),
      Tag: tag?.slice(colon! + 1) ?? '<none>',
      UniqueSize: humanSize(uniqueBytes),
      VirtualSize: humanSize(image.sizeBytes),
    }
  })
}

/** Sizes without those of the image. */
function containerRows(store: Store, { containers }: DiskUsage, whole: boolean) {
  const own = ({ virtualBytes: _, ...container }: ContainerInfo) => container
  return Promise.all(
    containers.list.map(container => containerRow(ourRow(own(container)), whole, name => store.image(name))),
  )
}
