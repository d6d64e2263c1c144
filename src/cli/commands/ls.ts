import type { Stats } from 'node:fs'
import type { Command, CommandContext } from '../command.js'

type View = Awaited<ReturnType<Awaited<ReturnType<CommandContext['store']>>['view']>>

export const command: Command = {
  usage: '[-l] [-R] IMAGE [PATH...]',
  summary: 'List what is in an image',
  options: { long: { type: 'boolean', short: 'l' }, recursive: { type: 'boolean', short: 'R' } },
  words: [1, Number.POSITIVE_INFINITY],
  async run(context, [image, ...paths], options) {
    const view = await (await context.store()).view(image!)
    const listing = { view, context, long: options.long === true, recursive: options.recursive === true }
    try {
      const wanted = paths.length === 0 ? ['/'] : paths
      for (const [index, path] of wanted.entries()) {
        if (wanted.length > 1 && !listing.recursive) context.print(`${index > 0 ? '\n' : ''}${path}:`)
        await list(listing, path)
      }
    } finally {
      await view.close()
    }
  },
}

interface Listing {
  readonly view: View
  readonly context: CommandContext
  readonly long: boolean
  readonly recursive: boolean
}

async function list(listing: Listing, path: string): Promise<void> {
  const { view, context, recursive } = listing
  context.signal.throwIfAborted()
  if (!view.statSync(path).isDirectory()) return show(listing, path, path)
  const names = view.readdirSync(path).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  if (recursive) context.print(`${path}:`)
  const below = path.endsWith('/') ? path : `${path}/`
  for (const name of names) show(listing, below + name, name)
  if (!recursive) return
  for (const name of names) {
    if (!view.lstatSync(below + name).isDirectory()) continue
    context.print('')
    await list(listing, below + name)
  }
}

function show({ view, context, long }: Listing, path: string, name: string): void {
  if (!long) {
    context.print(printable(name))
    return
  }
  const stats = view.lstatSync(path)
  const target = stats.isSymbolicLink() ? ` -> ${printable(view.readlinkSync(path))}` : ''
  const size = stats.isBlockDevice() || stats.isCharacterDevice() ? deviceOf(stats) : String(stats.size)
  const when = stats.mtime.toISOString().slice(0, 16).replace('T', ' ')
  const columns = [
    modeOf(stats),
    String(stats.nlink).padStart(3),
    String(stats.uid).padStart(5),
    String(stats.gid).padStart(5),
  ]
  context.print(`${columns.join(' ')} ${size.padStart(10)} ${when} ${printable(name)}${target}`)
}

/** `rwxr-sr-t` with the type in front, as ls shows it. */
function modeOf(stats: Stats): string {
  const types: [boolean, string][] = [
    [stats.isDirectory(), 'd'],
    [stats.isSymbolicLink(), 'l'],
    [stats.isFIFO(), 'p'],
    [stats.isCharacterDevice(), 'c'],
    [stats.isBlockDevice(), 'b'],
  ]
  const bits = [...'rwxrwxrwx'].map((letter, i) => (stats.mode & (0o400 >> i) ? letter : '-'))
  for (const [at, bit, letter] of [
    [2, 0o4000, 's'],
    [5, 0o2000, 's'],
    [8, 0o1000, 't'],
  ] as const) {
    if (stats.mode & bit) bits[at] = bits[at] === 'x' ? letter : letter.toUpperCase()
  }
  return (types.find(([is]) => is)?.[1] ?? '-') + bits.join('')
}

/** Major and minor of the kernel's 64-bit device number, as makedev(3) packs them. */
function deviceOf({ rdev }: Stats): string {
  const [low, high] = [(rdev % 2 ** 32) >>> 0, Math.floor(rdev / 2 ** 32)]
  return `${((low >>> 8) & 0xfff) | (high & ~0xfff)}, ${(low & 0xff) | ((low >>> 12) & ~0xff)}`
}

/** Names from images reach a terminal without control characters. */
function printable(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are to be replaced
  return name.replace(/[\x00-\x1f\x7f-\x9f]/g, c => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
