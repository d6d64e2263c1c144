/** Inputs that are computed: the same bytes in every run. Contents are pieces of a Debian root file system. */
import { createCipheriv } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultLimits, Store } from '../src/index.js'
import type { TarEntry } from '../src/tar/entry.js'
import { TarScanner } from '../src/tar/scanner.js'
import { type LayerEntry, writeDockerArchive } from './archive-writer.js'
import { remove } from './places.js'
import { type Random, seeded, shuffled } from './random.js'
import { manyEntries } from './targets.js'

const MiB = 2 ** 20
const GiB = 2 ** 30
const seed = 20_240_101

/** For trying out a benchmark: smaller inputs. Its figures are no verdict. */
export const scale = Number(process.env.PHYLLO_BENCH_SCALE ?? 1)

/** Paths of the images that are looked up in. */
const treeFiles = 24_000
/** Files of real trees are small; how small does not matter to a lookup. */
const treeFileBytes = 200

/** One layer of 1 GiB: the files of base.tar, all of them again and again in another order. */
export function writeLayer1g(path: string, base: string): void {
  const bytes = readFileSync(base)
  const files = filesOf(bytes)
  writeDockerArchive(path, 'layer:1g', [copies(bytes, files, scale * GiB, seeded(seed))])
}

function* copies(bytes: Buffer, files: readonly TarEntry[], budget: number, random: Random): Generator<LayerEntry> {
  let written = 0
  for (let copy = 0; ; copy++)
    for (const { name, mode, contentOffset, sizeBytes } of shuffled(files, random)) {
      if (written >= budget) return
      written += 512 + Math.ceil(sizeBytes / 512) * 512
      const content = [bytes.subarray(contentOffset, contentOffset + sizeBytes)]
      yield { type: 'file', name: `copy-${copy}/${name.replace(/^\.\//, '')}`, mode, sizeBytes, content }
    }
}

/** One layer with one file of 1 GiB: base.tar in pieces of 1 MiB, again and again in another order. */
export function writeFile1g(path: string, base: string): void {
  const bytes = readFileSync(base)
  const pieces = Array.from({ length: Math.floor(bytes.length / MiB) }, (_, i) =>
    bytes.subarray(i * MiB, i * MiB + MiB),
  )
  const sizeBytes = Math.ceil(scale * 1024) * MiB
  const content = take(sizeBytes, repeated(pieces, seeded(seed)))
  writeDockerArchive(path, 'file:1g', [[{ type: 'file', name: 'large', mode: 0o644, sizeBytes, content }]])
}

function* repeated(pieces: readonly Buffer[], random: Random): Generator<Buffer> {
  for (;;) yield* shuffled(pieces, random)
}

function* take(bytes: number, chunks: Iterable<Buffer>): Generator<Buffer> {
  let left = bytes
  for (const chunk of chunks) {
    if (left === 0) return
    yield chunk.subarray(0, left)
    left -= Math.min(left, chunk.length)
  }
}

/** One layer of 8 GiB that does not compress: eight files of a key stream. */
export function writeRandom8g(path: string): void {
  writeDockerArchive(path, 'random:8g', [incompressible()])
}

function* incompressible(): Generator<LayerEntry> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16, 'iv'))
  const zeros = Buffer.alloc(MiB)
  const stream = (function* () {
    for (;;) yield cipher.update(zeros)
  })()
  const sizeBytes = Math.ceil(scale * 1024) * MiB
  for (let i = 0; i < 8; i++)
    yield { type: 'file', name: `random-${i}`, mode: 0o644, sizeBytes, content: some(stream, sizeBytes) }
}

/** Takes whole chunks from an iterator that others go on with. */
function* some(chunks: Iterator<Buffer>, bytes: number): Generator<Buffer> {
  for (let done = 0; done < bytes; ) {
    const chunk: Buffer = chunks.next().value
    done += chunk.length
    yield chunk
  }
}

/** One layer of 1,000,000 entries, one in a thousand a directory: files of no or few bytes, and symlinks. */
export function writeMillion(path: string): void {
  writeDockerArchive(path, 'million:v1', [million(Math.ceil(scale * manyEntries))])
}

function* million(count: number): Generator<LayerEntry> {
  const random = seeded(seed)
  for (let at = 0; at < count; at++) {
    const folder = `srv/data/${Math.floor(at / 1000).toString(36)}`
    const name = `${folder}/${Math.floor(random() * 2 ** 32).toString(36)}-${at}.json`
    const kind = at % 1000 === 0 ? 'directory' : random() < 0.05 ? 'symlink' : 'file'
    if (kind === 'directory') yield { type: kind, name: `${folder}/`, mode: 0o755 }
    else if (kind === 'symlink') yield { type: kind, name, mode: 0o777, link: `../target-${at}` }
    else {
      const content = at % 4 === 0 ? [Buffer.from(`{"number":${at}}\n`)] : []
      yield { type: kind, name, mode: 0o644, sizeBytes: content[0]?.length ?? 0, content }
    }
  }
}

/**
 * The same tree, with paths of app.tar, as an image of so many layers: each file is in one of them, chosen by chance,
 * together with the directories above it.
 */
export async function writeLookup(path: string, app: string, layers: number): Promise<void> {
  const random = seeded(seed)
  const files = shuffled(await pathsOf(app), random).slice(0, treeFiles)
  const parts: string[][] = Array.from({ length: layers }, () => [])
  for (const file of files) parts[Math.floor(random() * layers)]!.push(file)
  writeDockerArchive(
    path,
    `lookup:${layers}`,
    parts.map((part, at) => treeOf(part, at)),
  )
}

function* treeOf(files: readonly string[], layer: number): Generator<LayerEntry> {
  const folders = new Set<string>()
  for (const file of [...files].sort()) {
    for (let slash = file.indexOf('/'); slash !== -1; slash = file.indexOf('/', slash + 1)) {
      const folder = file.slice(0, slash + 1)
      if (folders.has(folder)) continue
      folders.add(folder)
      yield { type: 'directory', name: folder, mode: 0o755 }
    }
    const content = [Buffer.alloc(treeFileBytes, `${layer} ${file}\n`)]
    yield { type: 'file', name: file, mode: 0o644, sizeBytes: treeFileBytes, content }
  }
}

/** What `wide` holds. Names are of 12 bytes. */
export const wide = {
  layers: 10,
  /** Directories of 1,000 files each: in one layer alone, and with a tenth of the files in each layer. */
  directories: 100,
  names: 1000,
  /** Files of one directory of one layer. */
  large: 10_000,
} as const

/** /one/N: directories of one layer; /all/N: of all layers; /large: one directory. Files are small and all different. */
export function writeWide(path: string): void {
  const layers = Array.from({ length: wide.layers }, (_, layer) => wideLayer(layer))
  writeDockerArchive(path, 'wide:v1', layers)
}

function* wideLayer(layer: number): Generator<LayerEntry> {
  const file = (folder: string, at: number): LayerEntry => {
    const name = `${folder}/file-${String(at).padStart(7, '0')}`
    return { type: 'file', name, mode: 0o644, sizeBytes: treeFileBytes, content: [Buffer.alloc(treeFileBytes, name)] }
  }
  const folder = (name: string): LayerEntry => ({ type: 'directory', name: `${name}/`, mode: 0o755 })
  yield folder('one')
  yield folder('all')
  for (let at = 0; at < wide.directories; at++) {
    const [one, all] = [`one/${at}`, `all/${at}`]
    if (at % wide.layers === layer) {
      yield folder(one)
      for (let name = 0; name < wide.names; name++) yield file(one, name)
    }
    yield folder(all)
    for (let name = layer; name < wide.names; name += wide.layers) yield file(all, name)
  }
  if (layer > 0) return
  yield folder('large')
  for (let name = 0; name < wide.large; name++) yield file('large', name)
}

/** Of all regular files of an archive's image, without the leading slash, sorted. */
async function pathsOf(archive: string): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), 'phyllo-bench-'))
  try {
    await using store = await Store.open(root, { durability: 'none' })
    const [image] = await store.load(archive)
    await using view = await store.view(image!.id)
    const paths: string[] = []
    for await (const { path, type } of view.walk()) if (type === 'file') paths.push(path.slice(1))
    return paths
  } finally {
    await remove(root)
  }
}

function filesOf(tar: Buffer): TarEntry[] {
  const files: TarEntry[] = []
  const onEntry = (entry: TarEntry) => void (entry.type === 'file' && files.push(entry))
  const scanner = new TarScanner({ limits: defaultLimits, onEntry })
  scanner.push(tar)
  scanner.end()
  return files
}
