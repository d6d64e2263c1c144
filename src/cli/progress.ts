/** What an operation says while it runs: bars on a terminal, a line for each layer otherwise, nothing when quiet. */
import type { Operation, OperationEvent, ProgressEvent } from '../index.js'
import type { CommandContext } from './command.js'
import { humanSize } from './format/size.js'
import type { Output } from './io.js'

export interface Told {
  /** References that were given, in order. */
  readonly tags: readonly string[]
  /** Warnings. */
  readonly notes: readonly string[]
  /** What is to be said at the end, in order. */
  readonly status: readonly string[]
  /** The whole names of what was asked for, where the operation says them. */
  readonly names: readonly string[]
}

/** With the two spaces that Docker has there. */
const loading = 'Loading layer '
const barWidth = 50
/** Of a terminal that does not say how wide it is. */
const defaultColumns = 80

/**
 * Follows the events to their end; resolves, whichever way the operation ends. Output goes to stderr. `said` gets what images and
 * tags say, as it comes.
 */
export async function showProgress(
  operation: Operation<unknown>,
  context: CommandContext,
  said?: (message: string) => void,
): Promise<Told> {
  const tags: string[] = []
  const notes: string[] = []
  const status: string[] = []
  const names: string[] = []
  const lines =
    context.quiet || context.json
      ? undefined
      : context.stderr.isTTY
        ? new Bars(context.stderr)
        : new Lines(context.stderr)
  for await (const event of operation) {
    if (event.type === 'tag' || event.type === 'image') said?.(event.message)
    if (event.type === 'tag') tags.push(event.subject)
    else if (event.type === 'warning') notes.push(event.message)
    else if (event.type === 'status') {
      status.push(event.message)
      if (event.subject !== '') names.push(event.subject)
    } else lines?.show(event)
  }
  return { tags, notes, status, names }
}

/** One line for each layer that is done. */
class Lines {
  readonly #stream: Output

  constructor(stream: Output) {
    this.#stream = stream
  }

  show(event: OperationEvent): void {
    if (event.type === 'layer') this.#stream.write(`${event.subject}: ${event.message}\n`)
  }
}

/** A line for each thing that moves, drawn again in place. */
class Bars {
  readonly #stream: Output
  readonly #rows = new Map<string, number>()

  constructor(stream: Output) {
    this.#stream = stream
  }

  show(event: OperationEvent): void {
    if (event.type === 'progress') this.#draw(event.subject, `${event.action ?? loading} ${bar(event)}`)
    else if (event.type === 'layer') this.#draw(event.subject, event.message)
  }

  #draw(subject: string, text: string): void {
    let row = this.#rows.get(subject)
    if (row === undefined) {
      row = this.#rows.size
      this.#rows.set(subject, row)
      this.#stream.write('\n')
    }
    const up = this.#rows.size - row
    const columns = this.#stream.columns || defaultColumns
    const shown = `${subject.slice(-20)}: ${text}`.slice(0, Math.max(columns - 1, 20))
    this.#stream.write(`\x1b[${up}A\r\x1b[2K${shown}\x1b[${up}B\r`)
  }
}

function bar({ done, total }: ProgressEvent): string {
  if (!total) return humanSize(done, 4)
  const filled = Math.floor((Math.min(done, total) / total) * barWidth)
  return `[${`${'='.repeat(filled)}>`.slice(0, barWidth).padEnd(barWidth)}] ${humanSize(done, 4)}/${humanSize(total, 4)}`
}
