/** `--format` of commands that list: a template for each row, `table TEMPLATE` for aligned columns, `json` for a document a row. */
import { GoRow } from './go-value.js'
import { alignText } from './table.js'
import { parseTemplate } from './template.js'
import { TemplateError } from './template-error.js'
import { headerFunctions } from './template-functions.js'

export interface ListingOptions {
  /** What the user gave, or the command's own `table …`. */
  readonly format: string
  /** Title of every placeholder: `{ ID: 'IMAGE ID', Tag: 'TAG' }`. */
  readonly headers: Readonly<Record<string, string>>
  /** Values by placeholder. */
  readonly rows: Iterable<Readonly<Record<string, unknown>>>
}

/** The whole output, each line ended. Throws TemplateError as parseTemplate does. */
export function formatListing({ format, headers, rows }: ListingOptions): string {
  const isTable = format.startsWith('table')
  const text = unescapeFormat(format === 'json' ? '{{json .}}' : isTable ? format.slice('table'.length) : format)
  const template = parseTemplate(text)
  let lines = ''
  for (const row of rows) lines += `${template.execute(new GoRow(row))}\n`
  if (!isTable) return lines
  return alignText(`${headerLine(text, headers)}\n${lines}`)
}

/** A template that does not fit titles (it ranges over `split`, say) has an empty header line, as in Docker. */
function headerLine(text: string, headers: Readonly<Record<string, string>>): string {
  const template = parseTemplate(text, { functions: headerFunctions })
  try {
    return template.execute(headers)
  } catch (error) {
    if (error instanceof TemplateError) return ''
    throw error
  }
}

/** Spaces around are Docker's to drop, and `\t` and `\n` come as two characters from a shell. */
function unescapeFormat(format: string): string {
  return format
    .replace(/^ +| +$/g, '')
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
}
