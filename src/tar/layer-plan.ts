/**
 * The plan of a layer: its entries in their order, each with where its content lies; a line of JSON an entry. Main writes it into
 * the stage, and a job makes the tar from it, line by line as they come: so bytes of contents never pass through main.
 *
 * Names are ByteStrings and stand in the JSON as they are, a character a byte.
 */
import type { ByteString } from '../byte-string.js'
import type { EntryType } from './entry.js'
import type { LayerEntry } from './layer-writer.js'

/** Where the content of an entry begins: in a file, or as an inode of a layer file. */
export type PlannedContent =
  | { readonly file: ByteString; readonly offset: number }
  | { readonly layer: string; readonly inode: number }

export interface PlannedEntry extends LayerEntry {
  /** Of a file that is not empty. */
  readonly content: PlannedContent | undefined
}

/** Paths have numbers, in the order in which they first come. */
type PlannedRow = readonly [kind: 'file' | 'layer', path: number, at: number]

type Row = [
  type: EntryType,
  name: string,
  linkName: string,
  numbers: readonly [mode: number, uid: number, gid: number, size: number, mtime: number, major: number, minor: number],
  xattrs: readonly (readonly [name: string, value: string])[],
  content?: PlannedRow,
]

/** A path, before the first row that has it. */
interface PathRow {
  readonly path: string
}

export class PlanWriter {
  readonly #paths = new Map<string, number>()

  /** The lines of one entry, with their ends. */
  lines(entry: LayerEntry, content: PlannedContent | undefined): string {
    if (content === undefined) return `[${entryFields(entry)}]\n`
    const [kind, path, at] =
      'file' in content ? ['file', content.file, content.offset] : ['layer', content.layer, content.inode]
    const known = this.#paths.get(path)
    const number = known ?? this.#paths.size
    const line = `[${entryFields(entry)},["${kind}",${number},${at}]]\n`
    if (known !== undefined) return line
    this.#paths.set(path, number)
    return `${JSON.stringify({ path } satisfies PathRow)}\n${line}`
  }
}

/** A `Row` without its ends, written piece by piece because that takes a fifth of the time. */
function entryFields(entry: LayerEntry): string {
  const { type, name, linkName, mode, uid, gid, sizeBytes, mtimeSec, deviceMajor, deviceMinor, xattrs } = entry
  const names = `"${type}",${JSON.stringify(name)},${linkName === '' ? '""' : JSON.stringify(linkName)}`
  const numbers = `[${mode},${uid},${gid},${sizeBytes},${mtimeSec},${deviceMajor},${deviceMinor}]`
  return `${names},${numbers},${xattrs.length === 0 ? '[]' : JSON.stringify(xattrs.map(xattrRow))}`
}

function xattrRow({ name, value }: LayerEntry['xattrs'][number]): readonly [string, string] {
  return [name, value.toString('base64')]
}

const newline = 0x0a

/** The entries of a plan that comes in chunks. */
export async function* planEntries(chunks: AsyncIterable<Buffer>): AsyncGenerator<PlannedEntry, void, void> {
  const paths: string[] = []
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
      const row = JSON.parse(bytes.toString('utf8', from, end)) as Row | PathRow
      if ('path' in row) paths.push(row.path)
      else yield entryOf(row, paths)
      from = end + 1
    }
    rest = Buffer.from(bytes.subarray(from))
  }
}

function entryOf([type, name, linkName, numbers, xattrs, content]: Row, paths: readonly string[]): PlannedEntry {
  const [mode, uid, gid, sizeBytes, mtimeSec, deviceMajor, deviceMinor] = numbers
  return {
    type,
    name: name as ByteString,
    linkName: linkName as ByteString,
    ...{ mode, uid, gid, sizeBytes, mtimeSec, deviceMajor, deviceMinor },
    xattrs: xattrs.map(([key, value]) => ({ name: key as ByteString, value: Buffer.from(value, 'base64') })),
    content: content && contentOf(content, paths),
  }
}

function contentOf([kind, path, at]: PlannedRow, paths: readonly string[]): PlannedContent {
  return kind === 'file' ? { file: paths[path] as ByteString, offset: at } : { layer: paths[path]!, inode: at }
}
