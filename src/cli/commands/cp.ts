import fs, { type Stats } from 'node:fs'
import { posix } from 'node:path'
import type { Container } from '../../index.js'
import { type Command, type CommandContext, UsageError } from '../command.js'
import { copyTree, type Files } from '../copy-tree.js'
import { destinationOf, type End, endOf } from '../cp-paths.js'

export const command: Command = {
  usage: '[-a] [-L] [-q] CONTAINER:SRC_PATH DEST_PATH | SRC_PATH CONTAINER:DEST_PATH',
  summary: 'Copy files between a container and this machine',
  options: { archive: { type: 'boolean', short: 'a' }, 'follow-link': { type: 'boolean', short: 'L' } },
  words: [2, 2],
  async run(context, words, options) {
    const [source, destination] = [endOf(words[0]!), endOf(words[1]!)]
    if (source.container !== undefined && destination.container !== undefined)
      throw new UsageError('cp: copying between containers is not supported')
    const name = source.container ?? destination.container
    if (name === undefined) throw new UsageError('cp: must specify at least one container source')
    const container = await (await context.store(true)).container(name)
    await copy(context, container, { source, destination }, options['follow-link'] === true, options.archive === true)
  },
}

async function copy(
  { signal, stderr }: CommandContext,
  container: Container,
  { source, destination }: { readonly source: End; readonly destination: End },
  follow: boolean,
  archive: boolean,
): Promise<void> {
  const out = source.container !== undefined
  const from: Files = out ? container : fs
  const to: Files = out ? fs : container
  const [wanted, given] = [inside(source), inside(destination)]
  const named = await (follow || wanted.endsWith('/') ? from.promises.stat(wanted) : from.promises.lstat(wanted))
  const parent = await statsOf(to, posix.dirname(posix.resolve(out ? process.cwd() : '/', given)))
  const target = { path: given, there: await statsOf(to, given), parent }
  const path = destinationOf(source.path, named.isDirectory(), target)
  await copyTree(wanted, path, {
    from,
    to,
    // As Docker: into a container they go along as they are, out of one they would need root.
    owner: ({ uid, gid }) => (archive || !out ? { uid, gid } : undefined),
    follow: follow || wanted.endsWith('/'),
    signal,
    warn: message => stderr.write(`${message}\n`),
  })
}

/** Paths of a container begin at its root. */
function inside({ container, path }: End): string {
  if (container === undefined || path.startsWith('/')) return path
  return `/${path}`
}

async function statsOf({ promises }: Files, path: string): Promise<Stats | undefined> {
  try {
    return await promises.stat(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
