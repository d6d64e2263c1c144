/**
 * fast-glob and glob, given a view or a container as their `fs` and nothing else, while the host's files are locked: they find
 * what a naive matcher finds in the tree as it was written by hand, in every form, and, with every set of options, what they
 * find on a plain directory that holds the same tree.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { type TestContext, test } from 'node:test'
import type { Entry, Options as FastGlobOptions } from 'fast-glob'
import type { GlobOptions, Path } from 'glob'
import type { Container, Store } from '../../src/index.js'
import { locked } from '../build/host-fs.js'
import { type Kind, naiveMatches, pathsOf } from '../build/naive-glob.js'
import { type Plain, plainDirectory } from '../build/plain-tree.js'
import { repoRoot } from '../build/repo.js'
import { storeWithImage } from '../build/users.js'
import { changedContainer, changedTree, walkedLayers, walkedTree } from '../build/walked-image.js'

// After host-fs: each keeps the functions that it finds when it is loaded
const { default: fastGlob } = await import('fast-glob')
const { glob, globIterate, globIterateSync, globStream, globSync } = await import('glob')

type Walked = Awaited<ReturnType<Store['view']>> | Container

interface Side {
  readonly tree: Record<string, Plain>
  open(store: Store): Promise<Walked>
}

const sides: Readonly<Record<string, Side>> = {
  'a view': { tree: walkedTree, open: store => store.view('image:v1') },
  'a container': { tree: changedTree, open: store => changedContainer(store, 'image:v1') },
}

const patterns = [
  '**',
  '**/*',
  '*',
  '*/*',
  '**/*.js',
  '**/*.{js,json}',
  '{etc,home}/**/*.json',
  'etc/**',
  'etc/passw?',
  'srv/.*',
  'srv/.*/*',
  'srv/\\[x\\]\\{y\\}.js',
  'srv/[a-z]*',
  'srv/* *',
  'srv/ü*',
  '**/tool/**/*.js',
  '**/old*',
  'opt/**',
  'proc-of-the-image.js',
  'none/**',
  'usr/lib/node_modules/tool/index.js',
]

/** What only a host has: nothing of it is in the image. */
const ofTheHost = ['/proc/**', '/dev/*', '/tmp/**', '/root/**', `${repoRoot}/*.json`, process.execPath]

/** The lock is on from the first call of the library to the last. */
const inside = (side: Side, work: (view: Walked, tree: Side['tree']) => Promise<void>) => async (t: TestContext) => {
  const store = await storeWithImage(t, walkedLayers)
  const view = await side.open(store)
  await locked(store.root, () => work(view, side.tree))
}

function expected(tree: Record<string, Plain>, pattern: string, kinds: readonly Kind[]): string[] {
  const there = pathsOf(tree).filter(([path, kind]) => kinds.includes(kind) && naiveMatches(pattern, path))
  return there.map(([path]) => path).sort()
}

async function gathered(found: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const one of found) all.push(one)
  return all
}

type Forms<Options> = Readonly<Record<string, (pattern: string, options: Options) => Promise<unknown[]>>>

const fastGlobForms: Forms<FastGlobOptions> = {
  async: (pattern, options) => fastGlob(pattern, options),
  sync: async (pattern, options) => fastGlob.sync(pattern, options),
  stream: (pattern, options) => gathered(fastGlob.stream(pattern, options)),
}

const globForms: Forms<GlobOptions> = {
  async: (pattern, options) => glob(pattern, options),
  sync: async (pattern, options) => globSync(pattern, options),
  stream: (pattern, options) => gathered(globStream(pattern, options)),
  iterate: (pattern, options) => gathered(globIterate(pattern, options)),
  iterateSync: async (pattern, options) => [...globIterateSync(pattern, options)],
}

const fastGlobOptions: readonly FastGlobOptions[] = [
  {},
  { dot: true, onlyFiles: false },
  { followSymbolicLinks: false, onlyFiles: false },
  { stats: true, dot: true },
  { stats: true, onlyFiles: false, followSymbolicLinks: false },
  { objectMode: true, onlyDirectories: true },
  { markDirectories: true, onlyFiles: false },
  { absolute: true, deep: 2 },
  { ignore: ['**/node_modules/**', 'srv'], dot: true },
  { baseNameMatch: true, caseSensitiveMatch: false },
  { concurrency: 1, unique: false, globstar: false },
]

const globOptions: readonly GlobOptions[] = [
  {},
  { dot: true },
  { follow: true, dot: true },
  { nodir: true, mark: false },
  { mark: true, stat: true },
  { withFileTypes: true, stat: true },
  { withFileTypes: true, follow: true },
  { absolute: true, realpath: true },
  { ignore: ['**/node_modules/**', 'srv/*'] },
  { matchBase: true, nocase: true },
  { maxDepth: 2, dotRelative: true },
]

const optionPatterns = ['**', '**/*.js', 'usr/lib/link/**', 'home/link/*', 'srv/*', 'etc/../srv/*.js']

/** By value, and without the folder that the tree stands in. */
function shown(found: readonly unknown[], root: string): unknown[] {
  const bare = (path: string) => (path.startsWith(root) ? path.slice(root.length) : path)
  const lines = found.map(one => {
    if (typeof one === 'string') return bare(one)
    if ('relativePosix' in (one as object)) return { path: (one as Path).relativePosix(), ...facts(one as Path) }
    const { path, dirent, stats } = one as Entry
    return { path: bare(path), ...facts(dirent), stats: stats && facts(stats) }
  })
  return lines.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

interface Typed {
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
  readonly size?: number | undefined
}

/** Sizes of directories differ from one file system to the next. */
function facts(of: Typed) {
  const size = of.isFile() ? of.size : undefined
  return { file: of.isFile(), directory: of.isDirectory(), link: of.isSymbolicLink(), size }
}

/** Each pattern with each set of options: the same of the tree as of a directory with node:fs, at once and later. */
async function asOnADirectory<Options extends object>(
  forms: Forms<Options & { cwd: string }>,
  all: readonly Options[],
  view: Walked,
  { tree }: Side,
): Promise<void> {
  const root = plainDirectory(tree)
  try {
    for (const options of all)
      for (const pattern of optionPatterns) {
        const there = shown(await forms.sync!(pattern, { ...options, cwd: root }), root)
        for (const form of ['sync', 'async']) {
          const here = await forms[form]!(pattern, { ...options, cwd: '/top', fs: view })
          assert.deepEqual(shown(here, '/top'), there, `${form} ${pattern} ${JSON.stringify(options)}`)
        }
      }
  } finally {
    fs.rmSync(root, { recursive: true })
  }
}

for (const [name, side] of Object.entries(sides)) {
  test(
    `fast-glob finds in ${name} what a naive matcher finds`,
    inside(side, async (view, tree) => {
      const options = { fs: view, cwd: '/top', dot: true, followSymbolicLinks: false }
      for (const [form, find] of Object.entries(fastGlobForms))
        for (const pattern of patterns) {
          const files = (await find(pattern, options)) as string[]
          assert.deepEqual(files.sort(), expected(tree, pattern, ['file']), `${form} ${pattern}`)
          const all = (await find(pattern, { ...options, onlyFiles: false })) as string[]
          assert.deepEqual(all.sort(), expected(tree, pattern, ['file', 'directory', 'link']), `${form} ${pattern}`)
        }
    }),
  )

  test(
    `glob finds in ${name} what a naive matcher finds`,
    inside(side, async (view, tree) => {
      for (const [form, find] of Object.entries(globForms))
        for (const pattern of patterns) {
          const files = (await find(pattern, { fs: view, cwd: '/top', dot: true, nodir: true })) as string[]
          assert.deepEqual(files.sort(), expected(tree, pattern, ['file', 'link']), `${form} ${pattern}`)
        }
    }),
  )

  test(
    `both find nothing in ${name} that only the host has`,
    inside(side, async view => {
      const etc = ['/etc/of-the-image/config.json', '/etc/passwd']
      const root = { fs: view, cwd: '/', dot: true }
      for (const [form, find] of [...Object.entries(fastGlobForms), ...Object.entries(globForms)]) {
        assert.deepEqual((await find('/etc/**/*.*', root)).sort(), etc.slice(0, 1), form)
        assert.deepEqual((await find('/etc/*w*', root)).sort(), etc.slice(1), form)
        for (const pattern of ofTheHost) assert.deepEqual(await find(pattern, root), [], `${form} ${pattern}`)
      }
    }),
  )

  test(`fast-glob with its options finds in ${name} what it finds in a directory`, async t => {
    const store = await storeWithImage(t, walkedLayers)
    await asOnADirectory(fastGlobForms, fastGlobOptions, await side.open(store), side)
  })

  test(`glob with its options finds in ${name} what it finds in a directory`, async t => {
    const store = await storeWithImage(t, walkedLayers)
    await asOnADirectory(globForms, globOptions, await side.open(store), side)
  })
}

test('without a view as their fs both ask the host, and the lock tells', async () => {
  for (const find of [...Object.values(fastGlobForms), ...Object.values(globForms)])
    await assert.rejects(
      locked('/nowhere', () => find('*', { cwd: '/', suppressErrors: true })),
      /asked of the host/,
    )
})
