/**
 * Random archives of layers with something in each of them that those who put tars together again get wrong. Everything in them can be
 * unpacked by an ordinary user, if asked so, and by a dockerd 20.10.
 */
import { type EntryKind, Random, randomArchive } from './random-tar.js'
import * as build from './tar.js'

export interface OddArchive {
  readonly bytes: Buffer
  readonly oddities: readonly string[]
  /** Where an entry of this name (bytes as latin1) stands in the unpacked layer, if symlinks of the layer lead elsewhere. */
  real(name: string): string
}

interface Odd {
  readonly parts: readonly Buffer[]
  readonly moved?: Readonly<Record<string, string>>
  /** Instead of the usual end of the archive. */
  readonly end?: Buffer
}

type Oddity = (name: string, random: Random) => Odd

const parts = (...list: Buffer[]): Odd => ({ parts: list })
const latin1 = (text: string) => Buffer.from(text, 'latin1')

const oddities: Readonly<Record<string, Oddity>> = {
  'a parent that is a relative symlink': (name, random) => ({
    parts: [
      build.dir(`${name}d/`),
      build.symlink(`${name}l`, `${name}d`),
      build.file(`${name}l/x`, random.bytes(random.int(900))),
    ],
    moved: { [`${name}l/x`]: `${name}d/x` },
  }),
  'a parent that climbs by a symlink': (name, random) => ({
    parts: [
      build.dir(`${name}d/`),
      build.dir(`${name}d/e/`),
      build.symlink(`${name}d/e/up`, `../../${name}t/./`),
      build.dir(`${name}t/`),
      build.file(`${name}d/e/up/x`, random.bytes(1 + random.int(900))),
    ],
    moved: { [`${name}d/e/up/x`]: `${name}t/x` },
  }),
  'names with a leading dot or slash, doubled slashes, and steps back': (name, random) =>
    parts(
      build.file(`./${name}a`, random.bytes(600)),
      build.file(`/${name}b`, random.bytes(3)),
      build.dir(`./${name}d/`),
      build.file(`${name}d//c`, 'c'),
      build.file(`${name}d/./../${name}e`, 'e'),
    ),
  'names that are no text': (name, random) =>
    parts(
      build.dir(latin1(`${name}\xff\xfe/`)),
      build.file(latin1(`${name}\xff\xfe/\xe9`), random.bytes(77)),
      build.file(latin1(`${name}\xff\xfd`), 'not the same'),
    ),
  'text beyond ASCII, and what Go escapes': (name, random) =>
    parts(build.file(`${name}ü<&>\u2028"\\\u{1F600}`, random.bytes(10)), build.file(`${name}\t\n\x1b\x7f`, 'x')),
  'long names in GNU headers': (name, random) =>
    parts(
      build.file(name + 'g'.repeat(120 + random.int(100)), 'g', { magic: 'gnu' }),
      build.symlink(`${name}s`, 't'.repeat(130), { magic: 'gnu' }),
    ),
  'a size that a link or a directory has not': (name, random) =>
    parts(
      build.dir(`${name}d/`, { size: 1 + random.int(4096) }),
      build.file(`${name}f`, 'hello\n'),
      build.hardlink(`${name}h`, `${name}f`, { size: 6 }),
      build.symlink(`${name}s`, 'f', { size: 1 }),
    ),
  'a PAX global header': (name, random) =>
    parts(
      build.globalPax({ comment: 'c'.repeat(random.int(600)) }, { raw: { name: `${name}g` } }),
      build.file(`${name}f`, 'behind it'),
    ),
  'an xattr of zeros': (name, random) =>
    parts(build.file(`${name}x`, 'x', { xattrs: { 'user.zeros': Buffer.alloc(1100 + random.int(900)) } })),
  whiteouts: name => parts(build.file(`.wh.${name}w`), build.file(`${name}d/.wh..wh..opq`)),
  'parents that come late, or never': (name, random) =>
    parts(
      build.file(`${name}a/b/c`, random.bytes(30)),
      build.dir(`${name}a/b/`, { mode: 0o755 }),
      build.file(`${name}n/o/p`, 'p'),
    ),
  'contents of whole blocks, and of more than a buffer': (name, random) =>
    parts(
      build.file(`${name}a`, random.bytes(512 * random.int(4))),
      build.file(`${name}b`, Buffer.alloc(1024 * 1024 + random.int(1024 * 1024), random.next().toString())),
    ),
  'numbers in base-256': (name, random) =>
    parts(build.file(`${name}n`, random.bytes(100), { magic: 'gnu', base256: ['size', 'uid', 'mtime'] })),
  'no end of the archive': () => ({ parts: [], end: Buffer.alloc(0) }),
  'half an end of the archive': () => ({ parts: [], end: build.zeroBlock() }),
  'a record of zeros behind the end': (_name, random) => ({
    parts: [],
    end: Buffer.alloc(1024 + 512 * random.int(5000)),
  }),
}

export const oddityNames: readonly string[] = Object.keys(oddities)

export interface OddOptions {
  readonly kinds?: readonly EntryKind[]
  /** Oddities to leave out. */
  readonly without?: readonly string[]
}

/** For an ordinary user. */
export const plainKinds: readonly EntryKind[] = ['file', 'file', 'directory', 'symlink', 'hardlink']

export function oddArchive(seed: number, { kinds, without = [] }: OddOptions = {}): OddArchive {
  const random = new Random(seed)
  const choice = oddityNames.filter(name => !without.includes(name))
  const picked = Array.from({ length: 1 + random.int(4) }, () => random.pick(choice))
  const base = randomArchive(seed, {
    entries: random.int(8),
    binaryNames: true,
    xattrs: true,
    ...(kinds === undefined ? {} : { kinds }),
  })
  // Names of ordinary entries do not begin so.
  const odd = picked.map((name, i) => oddities[name]!(`o${i}`, random))
  const end = odd.findLast(each => each.end !== undefined)?.end ?? build.end()
  const moved = new Map(odd.flatMap(each => Object.entries(each.moved ?? {})))
  const ordinary = base.bytes.subarray(0, base.bytes.length - build.end().length)
  return {
    bytes: Buffer.concat([ordinary, ...odd.flatMap(each => each.parts), end]),
    oddities: picked,
    real: name => moved.get(name) ?? name,
  }
}
