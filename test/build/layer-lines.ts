/** The entries of a layer that says what changed, a line each, so that layers by different hands can be compared. */
import { pathOfLine } from './full-listing.js'
import { scan } from './scan.js'

/** Full listings of the tree below the layer, and of the tree that it makes. */
export interface Around {
  readonly before: readonly string[]
  readonly after: readonly string[]
}

interface Line {
  /** Absolute. */
  readonly path: string
  readonly kind: 'entry' | 'whiteout' | 'opaque'
  readonly text: string
}

const now = 1_300_000_000

/**
 * Sorted, and without what an upper directory holds and nobody would have to say: entries that are what was there, and marks on
 * directories over nothing, or in an opaque one.
 */
export function layerLines(tar: Buffer, around: Around): string[] {
  const lines = linesOf(tar)
  const [before, after] = [byPath(around.before), byPath(around.after)]
  const linked = new Set([...linkedIn(around.before), ...linkedIn(around.after)])
  const covers = (path: string) => [...before.keys()].some(other => other.startsWith(`${path}/`))
  const marks: string[] = []
  for (const { kind, path } of lines)
    if (kind === 'opaque' && covers(path) && !marks.some(mark => path.startsWith(`${mark}/`))) marks.push(path)
  const kept: Line[] = []
  // What is below a directory comes behind it.
  for (const line of lines.reverse()) {
    const { path, kind } = line
    const needed =
      kind === 'whiteout' ||
      (kind === 'opaque' && marks.includes(path)) ||
      (kind === 'entry' &&
        (before.get(path) !== after.get(path) ||
          linked.has(path) ||
          marks.some(mark => path.startsWith(`${mark}/`)) ||
          kept.some(other => other.path.startsWith(`${path}/`) || other.path === path)))
    if (needed) kept.push(line)
  }
  return kept.map(({ text }) => text).sort()
}

function linesOf(tar: Buffer): Line[] {
  return scan(tar).map(({ name, type, linkName, mode, uid, gid, sizeBytes, mtimeSec }): Line => {
    const path = `/${name.replace(/\/$/, '')}`
    const [, directory, hidden] = /^(.*)\/\.wh\.([^/]*)$/.exec(path) ?? []
    if (hidden === '.wh..opq') return { path: directory!, kind: 'opaque', text: `opaque ${directory}` }
    if (hidden !== undefined) {
      const gone = `${directory}/${hidden}`
      return { path: gone, kind: 'whiteout', text: `whiteout ${gone}` }
    }
    // Docker before 24 writes the bits of the type into the mode.
    const facts = [type, path, (mode & 0o7777).toString(8), `${uid}:${gid}`, `size ${sizeBytes}`]
    if (linkName !== '') facts.push(`-> ${linkName}`)
    facts.push(`mtime ${mtimeSec >= now ? 'now' : mtimeSec}`)
    return { path, kind: 'entry', text: facts.join(' ') }
  })
}

function byPath(lines: readonly string[]): Map<string, string> {
  return new Map(lines.map(line => [pathOfLine(line), line]))
}

/** Paths of inodes with more than one name. */
function linkedIn(lines: readonly string[]): string[] {
  return lines.flatMap(line => {
    const first = / same as ("(?:[^"\\]|\\.)*")/.exec(line)?.[1]
    return first === undefined ? [] : [pathOfLine(line), JSON.parse(first) as string]
  })
}
