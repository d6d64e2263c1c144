/** Laws of layers as tars: in what order entries may stand, and what a whiteout is, over random layers on random bases. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Layer } from '../../src/drivers/layer.js'
import { Union } from '../../src/overlay/union/union.js'
import { applyNaively, flatten } from '../build/commit-run.js'
import { layerOf as layerOfTar } from '../build/layerfile.js'
import * as build from '../build/tar.js'
import { layers } from '../build/union-arbitraries.js'
import { withoutLinks } from '../build/union-compare.js'
import { dumpUnion } from '../build/union-dump.js'
import { layerOf } from '../build/union-run.js'
import type { TreeNode, TreeNodes } from '../build/union-sequence.js'

const numRuns = Number(process.env.PHYLLO_RUNS ?? 20)

interface Entry {
  readonly path: string
  readonly bytes: Buffer
  readonly directory: boolean
  readonly mark: boolean
}

/** Of a layer; names of one inode are files apart, since a link has to stand behind its target. */
function entriesOf(tree: TreeNodes, form: 'opaque' | 'explicit', base: TreeNodes, at = ''): Entry[] {
  return Object.entries(tree).flatMap(([name, node]): Entry[] => {
    const path = `${at}${name}`
    if (node.t === 'w') return [mark(`${at}.wh.${name}`)]
    const below = (base[name]?.t === 'd' && base[name].children) || {}
    const entry = { path, bytes: bytesOf(path, node), directory: node.t === 'd', mark: false }
    if (node.t !== 'd') return [entry]
    return [
      entry,
      ...(node.opaque ? hiding(`${path}/`, form, below) : []),
      ...entriesOf(node.children ?? {}, form, node.opaque ? {} : below, `${path}/`),
    ]
  })
}

/** Hides everything that is in the base, also where an entry of the layer comes again. */
function hiding(at: string, form: 'opaque' | 'explicit', base: TreeNodes): Entry[] {
  return form === 'opaque' ? [mark(`${at}.wh..wh..opq`)] : Object.keys(base).map(name => mark(`${at}.wh.${name}`))
}

function mark(path: string, bytes = build.file(path)): Entry {
  return { path, bytes, directory: false, mark: true }
}

function bytesOf(path: string, { t, mode, uid, gid, mtime = 0, data = '', target = '', rdev, xattrs = {} }: TreeNode) {
  const options = { mode: mode ?? 0o777, uid: uid ?? 0, gid: gid ?? 0, mtime: mtime / 1e9, xattrs }
  if (t === 'f') return build.file(path, data, options)
  if (t === 'd') return build.dir(`${path}/`, options)
  if (t === 'l') return build.symlink(path, target, options)
  return t === 'p' ? build.fifo(path, options) : build.char(path, rdev![0], rdev![1], options)
}

const unlinked = (tree: TreeNodes): TreeNodes =>
  Object.fromEntries(
    Object.entries(tree).map(([name, node]) => [
      name,
      node.link === undefined
        ? { ...node, ...(node.children && { children: unlinked(node.children) }) }
        : ({ t: 'f', mode: 0o644, uid: 0, gid: 0, mtime: 1e18, data: 'link' } as const),
    ]),
  )

/** A shuffle in which each entry comes behind the directory that it stands in; marks stand anywhere behind that. */
function shuffled(entries: readonly Entry[], random: () => number): Entry[] {
  const keys = new Map(entries.map(entry => [entry.path, random()]))
  const rank = ({ path }: Entry) => {
    const parents = path.split('/').map((_, at, parts) => keys.get(parts.slice(0, at + 1).join('/')) ?? 0)
    return Math.max(...parents)
  }
  const depth = ({ path }: Entry) => path.split('/').length
  return [...entries].sort((a, b) => rank(a) - rank(b) || depth(a) - depth(b))
}

const tarOf = (entries: readonly Entry[]) => build.tar(entries.map(({ bytes }) => bytes))

function shown(base: readonly Layer[], top: Layer): unknown {
  return withoutLinks(dumpUnion(new Union([...base, top], {})))
}

const keys = fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 })

function law(name: string, check: (t: TestContext, made: Made) => Promise<void>): void {
  test(name, t =>
    fc.assert(
      fc.asyncProperty(layers(3), layers(1), keys, async (stack, [top], numbers) => {
        const base = [...stack, under(top!)].map(layerOf)
        let used = 0
        const random = () => numbers[used++ % numbers.length]!
        const below = dumpUnion(new Union(base, {}))
        await check(t, { base, below, top: unlinked(top!), random })
      }),
      { numRuns },
    ),
  )
}

/** The directories of a layer, each with something that it may hide. */
function under(tree: TreeNodes): TreeNodes {
  const directories = Object.entries(tree).filter(([, { t }]) => t === 'd')
  return {
    z: { t: 'f', mode: 0o600, mtime: 0, data: 'below' },
    ...Object.fromEntries(
      directories.map(([name, node]) => [name, { ...node, opaque: false, children: under(node.children ?? {}) }]),
    ),
  }
}

interface Made {
  readonly base: readonly Layer[]
  readonly below: TreeNodes
  readonly top: TreeNodes
  readonly random: () => number
}

law('P-54, P-55, P-58: any order of entries behind their directories, marks anywhere, is one tree', async (t, made) => {
  const { base, below, top, random } = made
  const entries = entriesOf(top, 'opaque', below)
  const plain = shown(base, await layerOfTar(t, tarOf(entries)))
  assert.deepEqual(shown(base, layerOf(top)), plain)
  const marksFirst = [...entries].sort((a, b) => Number(b.mark) - Number(a.mark))
  const marksLast = [...entries].sort((a, b) => Number(a.mark) - Number(b.mark))
  for (const order of [marksFirst, marksLast, shuffled(entries, random)])
    assert.deepEqual(shown(base, await layerOfTar(t, tarOf(order))), plain)
  // In two passes, marks before entries, as the specification says it
  const flat = applyNaively(flatten(below), tarOf(marksLast))
  assert.deepEqual(Object.fromEntries(flatten(plain as TreeNodes)), Object.fromEntries(flat))
})

law('P-56: a whiteout does nothing to entries of its own tar', async (t, { base, below, top }) => {
  const entries = entriesOf(top, 'opaque', below)
  const directories = entries.filter(entry => entry.directory).map(({ path }) => path)
  const marks = entries.filter(entry => !entry.mark && !entry.directory).map(({ path }) => mark(whiteoutOf(path)))
  const plain = shown(base, await layerOfTar(t, tarOf(entries)))
  assert.deepEqual(shown(base, await layerOfTar(t, tarOf([...entries, ...marks]))), plain)
  // Of a directory it takes what is below, as an opaque mark does
  const two = [(path: string) => mark(whiteoutOf(path)), (path: string) => mark(`${path}/.wh..wh..opq`)]
  const [whited, opaqued] = await Promise.all(
    two.map(async each => shown(base, await layerOfTar(t, tarOf([...entries, ...directories.map(each)])))),
  )
  assert.deepEqual(whited, opaqued)
})

const whiteoutOf = (path: string) => path.replace(/([^/]+)$/, '.wh.$1')

law('P-57: an opaque mark and whiteouts of all that it hides are one tree on the same base', async (t, made) => {
  const { base, below, top } = made
  const [opaque, explicit] = await Promise.all(
    (['opaque', 'explicit'] as const).map(form => layerOfTar(t, tarOf(entriesOf(top, form, below)))),
  )
  assert.deepEqual(shown(base, explicit!), shown(base, opaque!))
})

law('P-64: a whiteout is one by its name, whatever its type and its body', async (t, { base, below, top, random }) => {
  const forms = [
    (path: string) => build.dir(path),
    (path: string) => build.symlink(path, 'x'),
    (path: string) => build.hardlink(path, 'nowhere'),
    (path: string) => build.file(path, 'body'),
    (path: string) => build.char(path, 1, 3),
  ]
  const entries = entriesOf(top, 'opaque', below)
  const odd = entries.map(entry =>
    entry.mark && !entry.path.endsWith('.opq') ? mark(entry.path, forms[random() % forms.length]!(entry.path)) : entry,
  )
  assert.deepEqual(shown(base, await layerOfTar(t, tarOf(odd))), shown(base, await layerOfTar(t, tarOf(entries))))
})
