/** Where `cp` copies to: Docker's rules for paths that end in `/` or `/.`, and for what is there already (docker cp). */
import type { Stats } from 'node:fs'
import { posix } from 'node:path'

/** One end of a copy: a path of a container, or of this machine. */
export interface End {
  /** Undefined: this machine. */
  readonly container: string | undefined
  /** Absolute in a container, where it counts from the root. `-` of this machine is a tar on standard input or output. */
  readonly path: string
}

/** `CONTAINER:PATH`, or a path of this machine, which may hold a colon if it begins with `/` or `.`. */
export function endOf(word: string): End {
  const at = word.indexOf(':')
  if (at < 1 || word.startsWith('/') || word.startsWith('.')) return { container: undefined, path: word }
  return { container: word.slice(0, at), path: inContainer(word.slice(at + 1)) }
}

/** As Docker cleans it, by its words alone: `..` goes up from what is written, wherever symlinks lead. */
function inContainer(path: string): string {
  const clean = posix.resolve('/', path)
  if (path === '') return path
  const slash = clean === '/' ? '' : '/'
  return meansContents(path) ? `${clean}${slash}.` : path.endsWith('/') ? clean + slash : clean
}

/** Whether the path says itself that a directory is meant. */
export function meansDirectory(path: string): boolean {
  return /(?:^|\/)\.?$/.test(path) && path !== ''
}

/** `/.` at the end: what is in the directory, and not the directory itself. */
export function meansContents(path: string): boolean {
  return /(?:^|\/)\.$/.test(path)
}

export interface Target {
  /** Symlinks at its end followed, also to where nothing is yet. */
  readonly path: string
  /** What is there. */
  readonly there: Stats | undefined
  /** What the directory is that it would stand in. */
  readonly parent: Stats | undefined
}

/**
 * The path that the copy itself gets.
 *
 * @throws Error with Docker's words
 */
export function destinationOf(source: string, isDirectory: boolean, { path, there, parent }: Target): string {
  if (there?.isDirectory()) {
    const name = posix.basename(posix.resolve('/', source))
    return isDirectory && (meansContents(source) || name === '') ? path : posix.join(path, name)
  }
  if (there !== undefined) {
    if (isDirectory) throw new Error(`cannot copy directory ${source} to ${path}, which is none`)
    if (meansDirectory(path)) throw new Error(`${path}: not a directory`)
    return path
  }
  if (meansDirectory(path) && !isDirectory) throw new Error(`${path}: no such directory`)
  if (parent === undefined || !parent.isDirectory()) throw new Error(`${posix.dirname(path)}: no such directory`)
  return path
}
