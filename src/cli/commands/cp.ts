import fs, { type Stats } from 'node:fs'
import { posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Container } from '../../index.js'
import { type Command, type CommandContext, UsageError } from '../command.js'
import { copyTree, type Files, type MakeSpecial } from '../copy-tree.js'
import { destinationOf, type End, endOf, meansContents } from '../cp-paths.js'
import { deviceOf } from '../device.js'

export const command: Command = {
  usage: '[-a] [-L] [-q] CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH',
  summary: 'Copy files between a container and this machine; - is a tar on standard input or output',
  details: [
    'SRC_PATH/. is what is in a directory, without the directory itself. What is in a container while somebody',
    'else has it open can be copied out of it, and nothing into it. A tar is unpacked into a directory that is there.',
    '',
    '-a, --archive       give what is copied out of a container the owners that it has there',
    '-L, --follow-link   copy what a symlink at the end of SRC_PATH leads to',
  ],
  options: { archive: { type: 'boolean', short: 'a' }, 'follow-link': { type: 'boolean', short: 'L' } },
  exactOutput: true,
  words: [2, 2],
  async run(context, words, options) {
    const [source, destination] = ends(words as [string, string])
    const follow = options['follow-link'] === true
    if (source.container === undefined) {
      const container = await (await context.store(true)).container(destination.container!)
      if (source.path === '-') return unpack(context, container, destination)
      return copy(context, container, { source, destination, follow, archive: true })
    }
    const container = await (await context.store()).container(source.container, { readOnly: true })
    if (destination.path === '-') return pack(context, container, source.path, follow)
    return copy(context, container, { source, destination, follow, archive: options.archive === true })
  },
}

function ends(words: readonly [string, string]): [End, End] {
  for (const [index, what] of ['source', 'destination'].entries())
    if (words[index] === '') throw new UsageError(`cp: ${what} can not be empty`)
  const [source, destination] = [endOf(words[0]), endOf(words[1])]
  if (source.container !== undefined && destination.container !== undefined)
    throw new UsageError('cp: copying between containers is not supported')
  const inside = source.container === undefined ? destination : source
  if (inside.container === undefined) throw new UsageError('cp: must specify at least one container source')
  if (inside.path === '') throw new UsageError(`cp: the path in ${inside.container} is empty`)
  return [source, destination]
}

/** To standard output. Of a symlink that is followed the tar has the name of what it leads to, as Docker's. */
async function pack({ signal, stdout, stderr }: CommandContext, box: Container, path: string, follow: boolean) {
  if (stdout.isTTY) throw new UsageError('cp: cowardly refusing to write a tar to a terminal')
  const isLink = follow && box.lstatSync(path).isSymbolicLink()
  const onWarning = (message: string) => void stderr.write(`${message}\n`)
  const archive = box.getArchive(isLink ? box.realpathSync(path) : path, { onWarning })
  try {
    await pipeline(archive, stdout, { signal, end: false })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}

/** From standard input. */
async function unpack({ signal, stdin }: CommandContext, box: Container, { container, path }: End) {
  if (!(await statsOf(box, path))?.isDirectory())
    throw new Error(`destination "${container}:${path}" must be a directory`)
  if (stdin().isTTY) throw new UsageError('cp: a tar is expected on standard input, which is a terminal')
  await box.putArchive(stdin(), path, { signal, name: 'stdin' })
}

interface Copying {
  readonly source: End
  readonly destination: End
  readonly follow: boolean
  /** Owners go along. Into a container they always do, as in Docker; out of one that needs root. */
  readonly archive: boolean
}

async function copy({ signal, stderr }: CommandContext, box: Container, copying: Copying): Promise<void> {
  const { source, destination, follow, archive } = copying
  const out = source.container !== undefined
  const [from, to]: [Files, Files] = out ? [box, fs] : [fs, box]
  const followed = follow || source.path.endsWith('/')
  const named = await (followed ? from.promises.stat(source.path) : from.promises.lstat(source.path))
  const target = await targetOf(to, destination.path, out ? process.cwd() : '/')
  await copyTree(source.path, destinationOf(source.path, named.isDirectory(), target), {
    from,
    to,
    owner: ({ uid, gid }) => (archive ? { uid, gid } : undefined),
    ...(!out && { makeSpecial: specialOf(box) }),
    keepTop: target.there !== undefined && meansContents(source.path),
    follow: followed,
    signal,
    warn: message => stderr.write(`${message}\n`),
  })
}

function specialOf({ promises }: Container): MakeSpecial {
  return (path, stats) => promises.mknod(path, stats.mode, deviceOf(stats))
}

/** As often as the kernel follows symlinks. */
const mostHops = 40

/** A symlink at the end of the path stands for where it leads, also when nothing is there yet. */
async function targetOf(files: Files, given: string, cwd: string) {
  let path = given
  for (let hops = 0; hops <= mostHops; hops++) {
    const there = await unlessAbsent(files.promises.lstat(path))
    if (there?.isSymbolicLink()) path = posix.resolve(cwd, posix.dirname(path), await files.promises.readlink(path))
    else return { path, there, parent: await statsOf(files, posix.dirname(posix.resolve(cwd, path))) }
  }
  throw new Error(`too many symlinks in ${given}`)
}

function statsOf({ promises }: Files, path: string): Promise<Stats | undefined> {
  return unlessAbsent(promises.stat(path))
}

async function unlessAbsent(stats: Promise<Stats>): Promise<Stats | undefined> {
  try {
    return await stats
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
