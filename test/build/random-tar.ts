/**
 * Random valid archives, the same for the same seed, together with what is in them: a model to compare readers with.
 * The tree is consistent (parents are directories, hard links point to files before them, no name comes twice), so
 * that the archive can also be extracted.
 */
import * as build from './tar.js'

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  /** A whole number, 0 to `below` - 1. */
  int(below: number): number {
    return Math.floor(this.next() * below)
  }
  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]!
  }
  chance(probability: number): boolean {
    return this.next() < probability
  }
  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.int(256)))
  }
}

export type EntryKind = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo'

export interface ModelEntry {
  readonly type: EntryKind
  /** As written, bytes as latin1; directories end in `/`. */
  readonly name: string
  readonly linkName: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeSec: number
  readonly mtimeNsec: number
  readonly major: number
  readonly minor: number
  readonly body: Buffer
  readonly xattrs: readonly (readonly [string, Buffer])[]
}

export interface RandomOptions {
  readonly entries?: number
  readonly kinds?: readonly EntryKind[]
  readonly magic?: build.Magic
  /** Also names longer than 100 bytes (not in v7). */
  readonly longNames?: boolean
  /** Also names that are not UTF-8. */
  readonly binaryNames?: boolean
  readonly xattrs?: boolean
  /** Largest body in bytes. */
  readonly bodyBytes?: number
}

export interface RandomArchive {
  readonly bytes: Buffer
  readonly entries: readonly ModelEntry[]
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789._-'
const allKinds: readonly EntryKind[] = [
  'file',
  'file',
  'file',
  'directory',
  'symlink',
  'hardlink',
  'char',
  'block',
  'fifo',
]

export function randomArchive(seed: number, options: RandomOptions = {}): RandomArchive {
  const random = new Random(seed)
  const magic = options.magic ?? random.pick<build.Magic>(['ustar', 'gnu'])
  const entries: ModelEntry[] = []
  const used = new Set<string>()
  const directories = ['']
  while (entries.length < (options.entries ?? 10)) {
    const name = random.pick(directories) + randomName(random, options, magic)
    if (used.has(name)) continue
    const model = randomEntry(random, options, magic, name, entries)
    if (magic === 'v7' && (model.name.length > 100 || model.linkName.length > 100)) continue
    used.add(name)
    if (model.type === 'directory') directories.push(model.name)
    entries.push(model)
  }
  return { bytes: build.tar(entries.map(model => bytesOf(model, magic))), entries }
}

function randomName(random: Random, options: RandomOptions, magic: build.Magic): string {
  const long = options.longNames !== false && magic !== 'v7' && random.chance(0.15)
  const length = long ? 90 + random.int(160) : 1 + random.int(12)
  if (options.binaryNames === true && random.chance(0.2))
    return `b${Array.from({ length: Math.min(length, 60) }, () => String.fromCharCode(128 + random.int(128))).join('')}`
  // A letter first: no `.`, `..`, `.wh.` and nothing that a command line takes for an option.
  return `n${Array.from({ length: length - 1 }, () => random.pick([...letters])).join('')}`
}

function randomEntry(
  random: Random,
  options: RandomOptions,
  magic: build.Magic,
  name: string,
  before: readonly ModelEntry[],
): ModelEntry {
  const files = before.filter(entry => entry.type === 'file')
  let type = random.pick(options.kinds ?? allKinds)
  if (type === 'hardlink' && files.length === 0) type = 'file'
  const device = magic !== 'v7' && (type === 'char' || type === 'block')
  const withXattrs = options.xattrs === true && magic === 'ustar' && type !== 'hardlink' && random.chance(0.3)
  return {
    type,
    name: type === 'directory' ? `${name}/` : name,
    linkName: linkNameOf(random, type, files),
    mode: random.chance(0.1) ? 0o4755 : random.pick([0o644, 0o755, 0o600, 0o1777, 0]),
    uid: random.pick([0, 1000, 0o7777777, ...(magic === 'v7' ? [] : [0o10000000, 2 ** 32 - 2])]),
    gid: random.pick([0, 100, 65534]),
    mtimeSec: random.pick([
      0,
      1,
      1_700_000_000,
      random.int(2 ** 31),
      ...(magic === 'v7' ? [] : [-1, -86_400, 2 ** 32 + 7]),
    ]),
    mtimeNsec: magic === 'ustar' && random.chance(0.2) ? random.int(1000) * 1_000_000 : 0,
    major: device ? random.int(256) : 0,
    minor: device ? random.int(65536) : 0,
    body: type === 'file' ? random.bytes(random.int((options.bodyBytes ?? 1500) + 1)) : Buffer.alloc(0),
    xattrs: withXattrs ? [[`user.${random.pick(['a', 'b', 'long-name'])}`, random.bytes(random.int(40))]] : [],
  }
}

function linkNameOf(random: Random, type: EntryKind, files: readonly ModelEntry[]): string {
  if (type === 'hardlink') return random.pick(files).name
  if (type !== 'symlink') return ''
  return random.pick(['/etc/passwd', '../x', 'nowhere', 'a/../b', `t${'y'.repeat(random.int(90))}`])
}

/** The decimal number that a PAX record holds; exact, which a JavaScript number would not be. */
function decimal(sec: number, nsec: number): string {
  if (nsec === 0) return `${sec}`
  const total = BigInt(sec) * 1_000_000_000n + BigInt(nsec)
  const size = total < 0n ? -total : total
  return `${total < 0n ? '-' : ''}${size / 1_000_000_000n}.${(size % 1_000_000_000n).toString().padStart(9, '0')}`
}

function bytesOf(model: ModelEntry, magic: build.Magic): Buffer {
  const name = latin1(model.name)
  const options: build.HeaderOptions = {
    magic,
    mode: model.mode,
    uid: model.uid,
    gid: model.gid,
    mtime: model.mtimeSec,
    ...(model.mtimeNsec === 0
      ? {}
      : { mtime: Math.max(0, model.mtimeSec % 2 ** 32), pax: { mtime: decimal(model.mtimeSec, model.mtimeNsec) } }),
    ...(model.xattrs.length === 0 ? {} : { xattrs: Object.fromEntries(model.xattrs) }),
  }
  if (model.type === 'file') return build.file(name, model.body, options)
  if (model.type === 'directory') return build.dir(name, options)
  if (model.type === 'symlink') return build.symlink(name, latin1(model.linkName), options)
  if (model.type === 'hardlink') return build.hardlink(name, latin1(model.linkName), options)
  if (model.type === 'fifo') return build.fifo(name, options)
  const device = model.type === 'char' ? build.char : build.block
  return device(name, model.major, model.minor, options)
}
