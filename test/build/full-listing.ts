/**
 * Everything that a tree says of itself, a line a path: mode, owner, time, size, link target, hard links, device, xattrs,
 * digest of the content. Of a view, and of a directory of this machine: the one may be compared with the other.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { toBytes } from '../../src/byte-string.js'
import type { Store } from '../../src/index.js'

type View = Awaited<ReturnType<Store['view']>>
type Xattrs = ReadonlyMap<string, Buffer>

interface Tree {
  readonly face: Pick<typeof fs, 'lstatSync' | 'readdirSync' | 'readlinkSync' | 'readFileSync'>
  /** What stands before the tree's own paths. */
  readonly top: string
  /** Of a path of the tree, its bytes as latin1. */
  xattrs(path: string): Xattrs
}

/** What a listing tells. */
export interface Form {
  /** This directory alone, with all that is below it. */
  readonly below?: string
  /** A time, given in nanoseconds since 1970. */
  readonly time?: (ns: bigint) => string
  readonly xattr?: (name: string) => boolean
}

/** `untimed`: paths whose time nobody has said, the root among them. */
export function untimedPaths(view: View): Set<string> {
  const paths = new Set(['/'])
  for (const path of pathsOf(viewTree(view))) {
    if (view.entry(Buffer.from(path, 'latin1'))?.implied === true) paths.add(path)
  }
  return paths
}

export function listView(view: View, untimed: ReadonlySet<string>, form?: Form): string[] {
  return linesOf(viewTree(view), untimed, form)
}

/** Needs root, for other people's files, and getfattr, for node has no xattrs. */
export function listDirectory(top: string, untimed: ReadonlySet<string>, form?: Form): string[] {
  const tree = { face: fs, top, xattrs: () => new Map<string, Buffer>() }
  const xattrs = hostXattrs(tree, form?.below)
  return linesOf({ ...tree, xattrs: path => xattrs.get(path) ?? new Map() }, untimed, form)
}

/** The path of a line. */
export function pathOfLine(line: string): string {
  return JSON.parse(/^"(?:[^"\\]|\\.)*"/.exec(line)![0]) as string
}

/** Without xattrs, which node:fs has not: of anything with its shape, from the folder `top` down. */
export function listFace(face: Tree['face'], top: string, untimed: ReadonlySet<string> = new Set()): string[] {
  return linesOf({ face, top, xattrs: () => new Map() }, untimed)
}

function viewTree(view: View): Tree {
  const xattrs = (path: string) => {
    const entry = view.entry(Buffer.from(path, 'latin1'))
    return new Map((entry?.xattrs ?? []).map(({ name, value }) => [toBytes(name).toString('latin1'), value]))
  }
  return { face: view as unknown as Tree['face'], top: '', xattrs }
}

function linesOf(tree: Tree, untimed: ReadonlySet<string>, form: Form = {}): string[] {
  const groups = new Map<string, string>()
  const untold = { ...form, time: undefined }
  const told = { time: String, ...form }
  return [...pathsOf(tree, form.below)].map(path => lineOf(tree, path, untimed.has(path) ? untold : told, groups))
}

const at = ({ top }: Tree, path: string) => Buffer.concat([Buffer.from(top), Buffer.from(path, 'latin1')])

/** Parents before children, children in the order of their bytes. */
function* pathsOf(tree: Tree, path = '/'): Generator<string> {
  yield path
  const names = tree.face.readdirSync(at(tree, path), { encoding: 'buffer' }) as unknown as Buffer[]
  for (const name of names.map(bytes => bytes.toString('latin1')).sort()) {
    const child = `${path === '/' ? '' : path}/${name}`
    // Where a directory has one layer alone, the kernel lists the whiteouts in it, and then has nothing there.
    const stats = tree.face.lstatSync(at(tree, child), { throwIfNoEntry: false })
    if (stats?.isDirectory()) yield* pathsOf(tree, child)
    else if (stats !== undefined) yield child
  }
}

/** `time` undefined: it is not told. */
function lineOf(
  tree: Tree,
  path: string,
  { time, xattr = () => true }: Pick<Form, 'xattr'> & { time: Form['time'] },
  groups: Map<string, string>,
): string {
  const stats = tree.face.lstatSync(at(tree, path), { bigint: true })
  const facts = [JSON.stringify(path), stats.mode.toString(8), `${stats.uid}:${stats.gid}`]
  if (time !== undefined) facts.push(`mtime ${time(stats.mtimeNs)}`)
  if (!stats.isDirectory()) {
    facts.push(`size ${stats.size}`)
    const inode = `${stats.dev} ${stats.ino}`
    const first = groups.get(inode) ?? path
    groups.set(inode, first)
    if (first !== path) facts.push(`same as ${JSON.stringify(first)}`)
  }
  if (stats.isSymbolicLink())
    facts.push(`-> ${(tree.face.readlinkSync(at(tree, path), { encoding: 'buffer' }) as Buffer).toString('latin1')}`)
  if (stats.isBlockDevice() || stats.isCharacterDevice()) facts.push(`rdev ${stats.rdev}`)
  if (stats.isFile())
    facts.push(
      createHash('sha256')
        .update(tree.face.readFileSync(at(tree, path)))
        .digest('hex'),
    )
  for (const [name, value] of [...tree.xattrs(path)].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (xattr(name)) facts.push(`${name}=${value.toString('hex')}`)
  return facts.join(' ')
}

/** Xattrs by path of everything below a directory that has any. */
function hostXattrs(tree: Tree, below?: string): Map<string, Xattrs> {
  const input = Buffer.from([...pathsOf(tree, below)].map(path => `.${path}\0`).join(''), 'latin1')
  const args = ['-0', 'getfattr', '-h', '-d', '-m', '-', '-e', 'hex', '--']
  const dump = execFileSync('xargs', args, { cwd: tree.top, input, encoding: 'latin1', maxBuffer: 1 << 28 })
  const found = new Map<string, Xattrs>()
  for (const block of dump.split('\n\n').filter(Boolean)) {
    const [head, ...rows] = block.split('\n')
    const path = unescaped(head!.slice('# file: '.length)).replace(/^(?:\.\/|\.$)?/, '/')
    const pairs = rows.filter(Boolean).map(row => {
      const [name, value = '0x'] = row.split('=')
      return [unescaped(name!), Buffer.from(value.slice(2), 'hex')] as const
    })
    found.set(path, new Map(pairs))
  }
  return found
}

/** getfattr writes bytes that are not printable as `\ooo`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
