/**
 * Bit rot in a store: every file of it, by class, and what may be said of a store with one damaged file. What is expected comes from the
 * files themselves, as they were before: images as bytes, and what each name shows.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { type Finding, PhylloError, Store } from '../../src/index.js'
import { legacyArchive, type MadeImage, type Members } from './image.js'
import { dir, file, symlink, tar } from './tar.js'

/** Classes of files of a store, by their paths. A file that is of none fails the test that walks a store. */
export const fileClasses: Readonly<Record<string, RegExp>> = {
  'store.json': /^phyllo\/store\.json$/,
  lock: /^phyllo\/(lock|collect)$/,
  reserve: /^phyllo\/reserve\/\d+$/,
  repositories: /^image\/[^/]+\/repositories\.json$/,
  config: /^image\/[^/]+\/imagedb\/content\/sha256\/[0-9a-f]{64}$/,
  'image parent': /^image\/[^/]+\/imagedb\/metadata\/sha256\/[0-9a-f]{64}\/parent$/,
  'image time': /^image\/[^/]+\/imagedb\/metadata\/sha256\/[0-9a-f]{64}\/lastUpdated$/,
  diff: /^image\/[^/]+\/layerdb\/sha256\/[0-9a-f]{64}\/diff$/,
  size: /^image\/[^/]+\/layerdb\/sha256\/[0-9a-f]{64}\/size$/,
  'cache-id': /^image\/[^/]+\/layerdb\/sha256\/[0-9a-f]{64}\/cache-id$/,
  parent: /^image\/[^/]+\/layerdb\/sha256\/[0-9a-f]{64}\/parent$/,
  'tar-split': /^image\/overlay2\/layerdb\/sha256\/[0-9a-f]{64}\/tar-split\.json\.gz$/,
  'mount-id': /^image\/[^/]+\/layerdb\/mounts\/[0-9a-f]{64}\/mount-id$/,
  'mount parent': /^image\/[^/]+\/layerdb\/mounts\/[0-9a-f]{64}\/parent$/,
  'layer file': /^packed\/[0-9a-f]{64}\.tar\.lz4$/,
  journal: /^packed\/containers\/[0-9a-f]{64}\/journal$/,
  segment: /^packed\/containers\/[0-9a-f]{64}\/segment-\d+$/,
  'large content': /^packed\/containers\/[0-9a-f]{64}\/content-\d+$/,
  container: /^phyllo\/containers\/[0-9a-f]{64}\.json$/,
  link: /^overlay2\/[0-9a-f]{64}\/link$/,
  lower: /^overlay2\/[0-9a-f]{64}\/lower$/,
  committed: /^overlay2\/[0-9a-f]{64}\/committed$/,
  'short name': /^overlay2\/l\/[A-Z2-7]{26}$/,
  'layer content': /^overlay2\/[0-9a-f]{64}\/diff\/.+$/,
}

/** Every file and symlink of a store, by class; throws for one that has none. */
export function filesByClass(root: string): Map<string, string[]> {
  const classes = new Map<string, string[]>()
  const uppers = uppersOf(root)
  const open = [root]
  for (let at = open.pop(); at !== undefined; at = open.pop())
    for (const name of readdirSync(at).sort()) {
      const path = join(at, name)
      if (lstatSync(path).isDirectory()) {
        open.push(path)
        continue
      }
      const place = relative(root, path)
      if (uppers.some(upper => place.startsWith(`${upper}/`))) {
        classes.set('upper content', [...(classes.get('upper content') ?? []), place])
        continue
      }
      const found = Object.entries(fileClasses).find(([, grammar]) => grammar.test(place))
      if (found === undefined) throw new Error(`${place}: a file of a class that nobody has decided on`)
      classes.set(found[0], [...(classes.get(found[0]) ?? []), place])
    }
  return classes
}

/** Of driver overlay2: what containers have changed, below the content. */
function uppersOf(root: string): string[] {
  const mounts = join(root, 'image/overlay2/layerdb/mounts')
  if (!existsSync(mounts)) return []
  return readdirSync(mounts).map(id => `overlay2/${readFileSync(join(mounts, id, 'mount-id'), 'utf8')}/diff`)
}

const lines = (count: number, word: string) =>
  Array.from({ length: count }, (_, at) => `${word} ${at * 7919}\n`).join('')

/** Two images that share a layer, one built from the other; small and large files, a symlink, a whiteout. */
export function rotImages(): readonly MadeImage[] {
  const base = tar([
    dir('etc/'),
    file('etc/os-release', 'NAME=rot\n'),
    file('etc/big', lines(20_000, 'line')),
    dir('bin/'),
    file('bin/sh', lines(300, 'shell')),
    symlink('bin/bash', 'sh'),
  ])
  const top = tar([dir('app/'), file('app/main.js', lines(50, 'code')), file('etc/.wh.os-release', '')])
  return [
    { layers: [base], tags: ['base:v1'] },
    { layers: [base, top], tags: ['app:v1', 'app:latest'] },
  ]
}

export function rotArchive(): Members {
  return legacyArchive(rotImages())
}

/** A copy of a store, with everything that a file can have. */
export function copyStore(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to])
}

export type Damage = { readonly bit: number } | { readonly cut: number } | 'delete'

/** What a random number makes of a file: a flipped bit, a cut, or nothing of it left. */
export function damageOf(path: string, kind: 'flip' | 'cut' | 'delete', random: () => number): Damage {
  const stats = lstatSync(path)
  const bytes = stats.isSymbolicLink() ? readlinkSync(path).length : stats.size
  if (kind === 'delete' || bytes === 0) return 'delete'
  return kind === 'flip' ? { bit: Math.floor(random() * bytes * 8) } : { cut: Math.floor(random() * bytes) }
}

export function damage(path: string, how: Damage): void {
  if (how === 'delete') unlinkSync(path)
  else if (lstatSync(path).isSymbolicLink()) damageLink(path, how)
  else if ('cut' in how) truncateSync(path, how.cut)
  else {
    const bytes = readFileSync(path)
    bytes[how.bit >> 3]! ^= 1 << (how.bit & 7)
    writeFileSync(path, bytes)
  }
}

function damageLink(path: string, how: Exclude<Damage, 'delete'>): void {
  const target = Buffer.from(readlinkSync(path))
  if ('bit' in how) target[how.bit >> 3]! ^= 1 << (how.bit & 7)
  const damaged = 'bit' in how ? target : target.subarray(0, Math.max(1, how.cut))
  unlinkSync(path)
  symlinkSync(damaged.includes(0) ? Buffer.from('x') : damaged, path)
}

/** What images show and save to: of a store, as bytes. */
export interface Shown {
  /** `image/path`: bytes of each file, target of each symlink. */
  readonly files: ReadonlyMap<string, string>
  readonly saved: Buffer
}

export async function shownBy(store: Store, images: readonly string[], scratch: string): Promise<Shown> {
  const files = new Map<string, string>()
  for (const image of images)
    for (const [path, content] of await contentsOf(store, image)) files.set(`${image}${path}`, content)
  return { files, saved: await saved(store, images, scratch) }
}

async function contentsOf(store: Store, image: string): Promise<[string, string][]> {
  const view = await store.view(image)
  try {
    const found: [string, string][] = []
    const open = ['']
    for (let at = open.pop(); at !== undefined; at = open.pop())
      for (const entry of view.readdirSync(at === '' ? '/' : at, { withFileTypes: true })) {
        const path = `${at}/${entry.name}`
        if (entry.isDirectory()) open.push(path)
        else if (entry.isSymbolicLink()) found.push([path, `-> ${view.readlinkSync(path)}`])
        else found.push([path, view.readFileSync(path, 'latin1')])
      }
    return found
  } finally {
    await view.close()
  }
}

async function saved(store: Store, images: readonly string[], scratch: string): Promise<Buffer> {
  const path = join(scratch, `saved-${process.hrtime.bigint()}.tar`)
  await store.save(images, path)
  const bytes = readFileSync(path)
  unlinkSync(path)
  return bytes
}

/** Nothing is shown that was not there: each file, and each archive, is as it was or an error. */
export async function assertNothingWrong(
  store: Store,
  images: readonly string[],
  shown: Shown,
  scratch: string,
): Promise<void> {
  for (const image of images) {
    const view = await refused(() => store.view(image))
    if (view !== undefined)
      try {
        for (const [name, content] of shown.files) {
          if (!name.startsWith(`${image}/`)) continue
          const path = name.slice(image.length)
          const read = async (): Promise<string> =>
            content.startsWith('-> ') ? `-> ${view.readlinkSync(path)}` : view.readFileSync(path, 'latin1')
          assert.equal((await refused(read)) ?? content, content, `${name} shows something else`)
        }
      } finally {
        await view.close()
      }
  }
  const bytes = await refused(() => saved(store, images, scratch))
  assert.ok(bytes === undefined || bytes.equals(shown.saved), 'save gives something else')
}

/** Undefined for an error that says so; TypeErrors and the like are none. */
async function refused<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PhylloError || typeof (error as NodeJS.ErrnoException).errno === 'number') return undefined
    throw error
  }
}

/** What a check of every byte finds; an opening that fails names the file, too. */
export async function findingsOf(
  root: string,
  depth: 'metadata' | 'structure' | 'full' = 'full',
): Promise<readonly Finding[] | PhylloError> {
  try {
    const store = await Store.open(root, { readOnly: true, workers: 0 })
    try {
      return (await store.check({ depth })).findings
    } finally {
      await store.close()
    }
  } catch (error) {
    if (error instanceof PhylloError) return error
    throw error
  }
}
