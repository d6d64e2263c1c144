import type { Stats } from 'node:fs'
import { type Command, type CommandContext, throwAll } from '../command.js'
import { deviceOf } from '../device.js'
import { modeOf, printable } from '../long-listing.js'
import { openTree, type Tree } from '../tree.js'

export const command: Command = {
  usage: '[-l] [-R] IMAGE|CONTAINER [PATH...]',
  summary: 'List what is in an image or a container',
  options: { long: { type: 'boolean', short: 'l' }, recursive: { type: 'boolean', short: 'R' } },
  words: [1, Number.POSITIVE_INFINITY],
  async run(context, [image, ...paths], options) {
    const view = await openTree(context, image!)
    const listing = { view, context, long: options.long === true, recursive: options.recursive === true }
    const failures: unknown[] = []
    try {
      const wanted = paths.length === 0 ? ['/'] : paths
      const headed = wanted.length > 1 || listing.recursive
      for (const [index, path] of wanted.entries()) {
        if (index > 0 && headed) context.print('')
        try {
          list(listing, Buffer.from(path), headed)
        } catch (error) {
          context.signal.throwIfAborted()
          failures.push(error)
        }
      }
    } finally {
      await view.close()
    }
    throwAll(failures)
  },
}

interface Listing {
  readonly view: Tree
  readonly context: CommandContext
  readonly long: boolean
  readonly recursive: boolean
}

/** Names are bytes here: those that are not UTF-8 lead nowhere as strings. */
function list(listing: Listing, path: Buffer, headed: boolean): void {
  const { view, context, recursive } = listing
  context.signal.throwIfAborted()
  // A symlink that leads nowhere is still something to show.
  const stats = view.statSync(path, { throwIfNoEntry: false }) ?? view.lstatSync(path)
  if (!stats.isDirectory()) {
    show(listing, path, path)
    return
  }
  if (headed) context.print(`${printable(path)}:`)
  const names = view.readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)
  const below = path.at(-1) === 0x2f ? path : Buffer.concat([path, Buffer.from('/')])
  const directories: Buffer[] = []
  for (const name of names) {
    const child = Buffer.concat([below, name])
    show(listing, child, name)
    if (recursive && view.lstatSync(child).isDirectory()) directories.push(child)
  }
  for (const directory of directories) {
    context.print('')
    list(listing, directory, true)
  }
}

function show({ view, context, long }: Listing, path: Buffer, name: Buffer): void {
  if (!long) {
    context.print(printable(name))
    return
  }
  const stats = view.lstatSync(path)
  const target = stats.isSymbolicLink() ? ` -> ${printable(view.readlinkSync(path, { encoding: 'buffer' }))}` : ''
  const size = stats.isBlockDevice() || stats.isCharacterDevice() ? deviceText(stats) : String(stats.size)
  const when = stats.mtime.toISOString().slice(0, 16).replace('T', ' ')
  const columns = [
    modeOf(stats),
    String(stats.nlink).padStart(3),
    String(stats.uid).padStart(5),
    String(stats.gid).padStart(5),
  ]
  context.print(`${columns.join(' ')} ${size.padStart(10)} ${when} ${printable(name)}${target}`)
}

function deviceText(stats: Stats): string {
  const { major, minor } = deviceOf(stats)
  return `${major}, ${minor}`
}
