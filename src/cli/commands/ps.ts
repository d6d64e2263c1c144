import { type Command, listOf, type Options, UsageError } from '../command.js'
import { containerRow, type FindImage, filterContainers, isRunning } from '../container-listing.js'
import { formatListing } from '../format/listing.js'
import { listedContainers } from '../listed-container.js'

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
  Size: 'SIZE',
}

export const command: Command = {
  usage: '[-a] [-q] [-s] [-l] [-n COUNT] [--no-trunc] [-f FILTER] [--format TEMPLATE]',
  summary: 'List containers; without -a only those that run: none but a dockerd’s own',
  details: [
    '-a, --all      all of them',
    '-q, --quiet    ids alone',
    '-s, --size     bytes that a container has of its own, and with those of its image',
    '-l, --latest   the newest one',
    '-n, --last N   the newest N',
    '-f, --filter   name=, id=, ancestor=IMAGE, before=CONTAINER, since=CONTAINER, label=KEY[=VALUE], status=,',
    '               exited=CODE, health=, network=, volume=',
    '--format       a Go template over ID, Image, Command, CreatedAt, RunningFor, Status, State, Size, Names, Labels;',
    '               `table TEMPLATE` with titles; json',
    '--no-trunc     ids, images and commands whole',
  ],
  options: {
    all: { type: 'boolean', short: 'a' },
    size: { type: 'boolean', short: 's' },
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
    const count = countOf(options, filters)
    const format = formatOf(options)
    // Counting opens every container: only for what shows it.
    const all = await listedContainers(store, { size: options.size === true || showsSize(format) })
    const find: FindImage = name => store.image(name)
    const matching = await filterContainers(all, filters, find)
    const shown = count === undefined ? matching.filter(({ state }) => isRunning(state)) : matching.slice(0, count)
    const rows = await Promise.all(shown.map(container => containerRow(container, options['no-trunc'] === true, find)))
    context.stdout.write(formatListing({ format, headers, rows }))
  },
}

/** Whether a template asks for the sizes, by itself or with all that there is: it is run on a row that notices, as in Docker. */
function showsSize(format: string): boolean {
  let asked = false
  const row = Object.fromEntries(Object.keys(headers).map(name => [name, '']))
  const get = () => {
    asked = true
    return ''
  }
  Object.defineProperty(row, 'Size', { enumerable: true, get })
  try {
    formatListing({ format, headers, rows: [row] })
    return asked
  } catch {
    // It may fail for what this row has not; a real mistake is told when it meets the real ones.
    return true
  }
}

/** How many of the newest are shown; undefined: those that run. */
function countOf({ all, latest, last }: Options, filters: readonly string[]): number | undefined {
  const count = latest === true ? 1 : Number(last ?? -1)
  if (!Number.isInteger(count)) throw new UsageError(`ps: --last is a whole number, not ${String(last)}`)
  if (count > 0) return count
  return all === true || filters.some(filter => filter.startsWith('status=')) ? Number.POSITIVE_INFINITY : undefined
}

function formatOf({ quiet, size, format }: Options): string {
  if (format === 'raw') return quiet === true ? 'container_id: {{.ID}}' : rawFormat + (size === true ? rawSize : '')
  if (typeof format === 'string' && format !== 'table' && format !== '') return format
  if (quiet === true) return '{{.ID}}'
  const columns = [
    'ID',
    'Image',
    'Command',
    'RunningFor',
    'Status',
    'Ports',
    'Names',
    ...(size === true ? ['Size'] : []),
  ]
  return `table ${columns.map(name => `{{.${name}}}`).join('\t')}`
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
const rawSize = 'size: {{.Size}}\\n'
