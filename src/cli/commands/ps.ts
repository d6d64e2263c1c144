import type { ContainerInfo } from '../../index.js'
import { imageAge } from '../age.js'
import { type Command, listOf, type Options } from '../command.js'
import { commandOf, filterContainers, imageShown } from '../container-listing.js'
import { formatListing } from '../format/listing.js'

const headers = {
  ID: 'CONTAINER ID',
  Names: 'NAMES',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Labels: 'LABELS',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
}

export const command: Command = {
  usage: '[-a] [-q] [-l] [-n COUNT] [--no-trunc] [-f FILTER] [--format TEMPLATE]',
  summary: 'List containers; without -a only those that run, and none does',
  options: {
    all: { type: 'boolean', short: 'a' },
    last: { type: 'string', short: 'n' },
    latest: { type: 'boolean', short: 'l' },
    'no-trunc': { type: 'boolean' },
    filter: { type: 'string', short: 'f', multiple: true },
    format: { type: 'string' },
  },
  words: [0, 0],
  async run(context, _words, options) {
    const store = await context.store()
    const filters = listOf(options.filter)
    const all = await store.containers()
    const wanted = await filterContainers(all, filters, name => store.image(name))
    const shown = wanted.slice(0, countOf(options, filters))
    const whole = options['no-trunc'] === true
    const rows = await Promise.all(shown.map(container => rowOf(container, whole, name => store.image(name))))
    context.stdout.write(formatListing({ format: formatOf(options), headers, rows }))
  },
}

/** How many of the newest are shown: as nothing runs, none unless something asks for those that do not. */
function countOf({ all, latest, last }: Options, filters: readonly string[]): number {
  const count = latest === true ? 1 : Number(last ?? -1)
  if (count > 0) return count
  return all === true || filters.some(filter => filter.startsWith('status=')) ? Number.POSITIVE_INFINITY : 0
}

function formatOf({ quiet, format }: Options): string {
  if (format === 'raw') return quiet === true ? 'container_id: {{.ID}}' : rawFormat
  if (typeof format === 'string' && format !== 'table' && format !== '') return format
  if (quiet === true) return '{{.ID}}'
  return 'table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}'
}

const rawFormat = [
  'container_id: {{.ID}}',
  'image: {{.Image}}',
  'command: {{.Command}}',
  'created_at: {{.CreatedAt}}',
  'state: {{- pad .State 1 0}}',
  'status: {{- pad .Status 1 0}}',
  'names: {{.Names}}',
  'labels: {{- pad .Labels 1 0}}',
  'ports: {{- pad .Ports 1 0}}',
  '',
].join('\\n')

async function rowOf(container: ContainerInfo, whole: boolean, find: Parameters<typeof imageShown>[2]) {
  const { at, since } = imageAge(container.created)
  const labels = container.config?.config?.labels ?? {}
  return {
    ID: whole ? container.id : container.id.slice(0, 12),
    Names: container.name,
    Image: await imageShown(container, whole, find),
    Command: commandOf(container, whole),
    CreatedAt: at,
    RunningFor: since,
    Ports: '',
    State: 'created',
    Status: 'Created',
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Mounts: '',
    LocalVolumes: '0',
    Networks: '',
  }
}
