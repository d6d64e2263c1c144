/**
 * Columns as Docker's client aligns them: Go's text/tabwriter with a minimal column width of 10 and 3 spaces between.
 *
 * A cell is what a tab ends; what stands behind a line's last tab belongs to no column. A column is a run of
 * neighbouring lines that have a cell there, and each run has a width of its own.
 */

const minWidth = 10
const padding = 3

/** Lines of cells as an aligned text. Tabs and line breaks inside a cell become spaces. */
export function alignRows(rows: readonly (readonly string[])[]): string {
  const lines = rows.map(row => row.map(cell => cell.replace(/[\t\n\v\f\r]/g, ' ')))
  return align(lines)
    .map(line => `${line}\n`)
    .join('')
}

/** A text with tabs between cells, aligned. The last line may lack its line break, and keeps lacking it. */
export function alignText(text: string): string {
  const lines = text.split(/[\n\f]/).map(line => line.split(/[\t\v]/))
  return align(lines).join('\n')
}

function align(lines: readonly (readonly string[])[]): string[] {
  const out = lines.map(() => '')
  let active = [...lines.keys()]
  for (let column = 0; active.length > 0; column++) {
    active = active.filter(line => column < lines[line]!.length - 1)
    for (const run of runsOf(active)) {
      const cells = run.map(line => lines[line]![column]!)
      const width = cells.reduce((most, cell) => Math.max(most, runes(cell) + padding), minWidth)
      for (const [index, cell] of cells.entries()) out[run[index]!] += cell + ' '.repeat(width - runes(cell))
    }
  }
  return out.map((line, index) => line + (lines[index]!.at(-1) ?? ''))
}

/** Ascending numbers, cut where one is missing. */
function runsOf(numbers: readonly number[]): number[][] {
  const runs: number[][] = []
  for (const number of numbers) {
    const last = runs.at(-1)
    if (last !== undefined && last.at(-1) === number - 1) last.push(number)
    else runs.push([number])
  }
  return runs
}

/** Width as tabwriter counts it: one for each code point. */
function runes(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}
