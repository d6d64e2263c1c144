/** Tables and figures, as they are printed. */
import { median, type Times } from './contest.js'
import type { Unit } from './targets.js'

/** Columns of texts, the first aligned to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map(row => [...(row[column] ?? '')].length)))
  const line = (row: readonly string[]) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ')
  return [line(head), widths.map(width => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n')
}

interface TimesTableOptions {
  /** Of what each contestant has worked on: adds a column of MB/s. */
  readonly bytes?: number
  /** Which contestants; all by default. */
  readonly names?: readonly string[]
}

/** Seconds of contestants, and each one's time in times of `unit`. */
export function timesTable(times: Times, unit: string, { bytes, names = times.names }: TimesTableOptions = {}): string {
  const head = ['', 'median', 'least', 'most', `÷ ${unit}`, ...(bytes === undefined ? [] : ['MB/s'])]
  const rows = names.map(name => {
    const seconds = times.seconds(name)
    const middle = median(seconds)
    return [
      name,
      figure(middle, 's'),
      figure(Math.min(...seconds), 's'),
      figure(Math.max(...seconds), 's'),
      figure(median(times.ratios(name, unit)), '×'),
      ...(bytes === undefined ? [] : [(bytes / middle / 1e6).toFixed(0)]),
    ]
  })
  return table(head, rows)
}

export function figure(value: number, unit: Unit): string {
  switch (unit) {
    case '×':
      return `${value.toFixed(2)} ×`
    case 's':
      return `${value.toFixed(value < 1 ? 3 : 2)} s`
    case 'ms':
      return `${value.toFixed(1)} ms`
    case 'MB':
      return `${value.toFixed(0)} MB`
    case 'requests':
      return `${value}`
    case '/s':
      return `${Math.round(value).toLocaleString('en-US')} /s`
  }
}
