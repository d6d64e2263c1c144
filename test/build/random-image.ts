/**
 * Random images of several layers over the same few names, so that the layers meet: files over directories, directories
 * over symlinks, whiteouts, opaque directories, hard links. The same for the same seed, and nothing that dockerd refuses.
 */
import type { MadeImage } from './image.js'
import type { Random } from './random-tar.js'
import * as build from './tar.js'

const names = ['a', 'b', 'c', 'd.x', 'ü 中', '\xff\xfe', 'n'.repeat(120)].map(name =>
  Buffer.from(name, name === '\xff\xfe' ? 'latin1' : 'utf8').toString('latin1'),
)
const kinds = [
  'file',
  'file',
  'file',
  'directory',
  'directory',
  'symlink',
  'hardlink',
  'whiteout',
  'opaque',
  'char',
  'block',
  'fifo',
] as const
const modes = [0o644, 0o600, 0o755, 0o4755, 0o2711, 0o1777, 0o7000, 0]
/** Without set-group-id: an implied directory below would inherit the bit from the file system that dockerd unpacks to. */
const directoryModes = modes.filter(mode => (mode & 0o2000) === 0)
/** A capability set as the kernel keeps it, version 2: cap_net_raw+ep. */
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')

export function randomImage(random: Random, tag: string): MadeImage {
  const layers = Array.from({ length: 1 + random.int(6) }, () => randomLayer(random, 5 + random.int(30)))
  return { layers, tags: [tag] }
}

function randomLayer(random: Random, entries: number): Buffer {
  const used = new Map<string, string>([['', 'directory']])
  const files: string[] = []
  const parts: Buffer[] = []
  for (let n = 0; n < entries; n++) {
    const path = Array.from({ length: 1 + random.int(4) }, () => random.pick(names)).join('/')
    const kind = random.pick(kinds)
    const above = parents(path)
    if (used.has(path) || above.some(parent => (used.get(parent) ?? 'directory') !== 'directory')) continue
    if (kind === 'hardlink' && files.length === 0) continue
    // An opaque mark makes its directory one of this layer, and a whiteout the one it stands in.
    for (const parent of above) used.set(parent, 'directory')
    used.set(path, kind === 'opaque' ? 'directory' : kind)
    const options = optionsOf(random, kind)
    parts.push(partOf(random, kind, path, files, options))
    // dockerd loses the capability of a file that a link is made to.
    if (kind === 'file' && !('security.capability' in (options.xattrs ?? {}))) files.push(path)
  }
  return build.tar(parts)
}

/** Of `a/b/c`: `a`, `a/b`. */
function parents(path: string): string[] {
  const steps = path.split('/')
  return steps.slice(1).map((_, at) => steps.slice(0, at + 1).join('/'))
}

const bytes = (path: string) => Buffer.from(path, 'latin1')

type Kind = (typeof kinds)[number]

function optionsOf(random: Random, kind: Kind): build.HeaderOptions {
  const whole = random.int(2 ** 31)
  return {
    mode: kind === 'symlink' ? 0o777 : random.pick(kind === 'directory' ? directoryModes : modes),
    uid: random.pick([0, 1000, 65_534, 3_000_000]),
    gid: random.pick([0, 50, 2_097_152]),
    ...(random.chance(0.5)
      ? { mtime: whole }
      : { pax: { mtime: `${whole}.${String(random.int(1e9)).padStart(9, '0')}` } }),
    ...(random.chance(0.3) && (kind === 'file' || kind === 'directory') && { xattrs: xattrsOf(random, kind) }),
  }
}

function partOf(random: Random, kind: Kind, path: string, files: readonly string[], options: build.HeaderOptions) {
  const name = bytes(path)
  if (kind === 'file') return build.file(name, random.bytes(random.pick([0, 1, 511, 512, 513, 20_000])), options)
  if (kind === 'directory') return build.dir(Buffer.concat([name, bytes('/')]), options)
  if (kind === 'symlink')
    return build.symlink(name, bytes(random.pick(['a', '/b/c', '../d.x', 'nowhere', names[5]!])), options)
  if (kind === 'hardlink') return build.hardlink(name, bytes(random.pick(files)), options)
  if (kind === 'char') return build.char(name, 1 + random.int(300), random.int(70_000), options)
  if (kind === 'block') return build.block(name, 1 + random.int(300), random.int(70_000), options)
  if (kind === 'fifo') return build.fifo(name, options)
  const cut = path.lastIndexOf('/') + 1
  if (kind === 'whiteout') return build.file(bytes(`${path.slice(0, cut)}.wh.${path.slice(cut)}`))
  return build.file(bytes(`${path}/.wh..wh..opq`))
}

function xattrsOf(random: Random, kind: 'file' | 'directory'): build.PaxRecords {
  const all: [string, Buffer][] = [
    ['user.note', random.bytes(1 + random.int(40))],
    ['trusted.own', Buffer.from('t')],
  ]
  if (kind === 'file') all.push(['security.capability', capability])
  return Object.fromEntries(all.filter(() => random.chance(0.6)))
}
