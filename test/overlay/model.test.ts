/**
 * Random stacks of layers against a naive model: layers are applied one by one to a plain object tree, whiteouts first, as
 * one would unpack them. Every path that is known anywhere is compared, present or absent (P-02, P-03, P-05, P-07, P-09).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isErrno } from '../../src/errors.js'
import { createView } from '../../src/overlay/face/view.js'
import { type Children, directory, type Literal, MemoryLayer, symlink, whiteout } from '../build/memory-layer.js'

type Node =
  | { readonly kind: 'file'; readonly content: string }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'directory'
      readonly opaque: boolean
      readonly mode: number
      readonly children: Record<string, Node>
    }

const names = ['a', 'b', 'c']
const name = fc.constantFrom(...names)

const { node } = fc.letrec<{ node: Node }>(tie => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.record({ kind: fc.constant('file' as const), content: fc.string({ maxLength: 3 }) }),
    fc.record({ kind: fc.constant('gone' as const) }),
    fc.record({
      kind: fc.constant('link' as const),
      target: fc.constantFrom('a', '../b', '/a/b', '.', 'c/', '/c/../a'),
    }),
    fc.record({
      kind: fc.constant('directory' as const),
      opaque: fc.boolean(),
      mode: fc.constantFrom(0o755, 0o700, 0o1777),
      children: fc.dictionary(name, tie('node'), { maxKeys: 3, noNullPrototype: true }),
    }),
  ),
}))

const layer = fc.dictionary(name, node, { maxKeys: 3, noNullPrototype: true })
const layers = fc.array(layer, { minLength: 0, maxLength: 5 })

function literal(node: Node): Literal {
  if (node.kind === 'file') return node.content
  if (node.kind === 'gone') return whiteout
  if (node.kind === 'link') return symlink(node.target)
  return directory(children(node.children), { opaque: node.opaque, mode: node.mode })
}

function children(nodes: Record<string, Node>): Children {
  return Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, literal(node)]))
}

/** The flat tree: what one would have after unpacking all layers in turn. */
type Flat = string | { readonly target: string } | { mode: number; readonly children: Map<string, Flat> }

function apply(tree: Map<string, Flat>, nodes: Record<string, Node>): void {
  for (const [name, node] of Object.entries(nodes)) {
    const before = tree.get(name)
    if (node.kind === 'gone') tree.delete(name)
    else if (node.kind === 'file') tree.set(name, node.content)
    else if (node.kind === 'link') tree.set(name, { target: node.target })
    else {
      const kept = before !== undefined && typeof before === 'object' && 'children' in before && !node.opaque
      const here = { mode: node.mode, children: kept ? before.children : new Map<string, Flat>() }
      tree.set(name, here)
      apply(here.children, node.children)
    }
  }
}

function flatten(stack: readonly Record<string, Node>[]): Map<string, Flat> {
  const tree = new Map<string, Flat>()
  for (const layer of stack) apply(tree, layer)
  return tree
}

function viewOf(stack: readonly Record<string, Node>[]) {
  return createView(stack.map(layer => new MemoryLayer(children(layer))))
}

function allPaths(depth: number): string[] {
  if (depth === 0) return ['']
  const shorter = allPaths(depth - 1)
  return [
    ...shorter,
    ...shorter.filter(path => path.split('/').length === depth).flatMap(path => names.map(n => `${path}/${n}`)),
  ]
}

const paths = allPaths(4).filter(path => path !== '')

function expected(tree: Map<string, Flat>, path: string): Flat | undefined {
  let at: Flat = { mode: 0, children: tree }
  for (const name of path.split('/').slice(1)) {
    if (typeof at === 'string' || !('children' in at)) return undefined
    const next = at.children.get(name)
    if (next === undefined) return undefined
    at = next
  }
  return at
}

/** What the view shows at a path, without following. */
function shown(view: ReturnType<typeof createView>, path: string): unknown {
  const stats = statOf(view, path, 'lstatSync')
  if (stats === undefined) return undefined
  if (stats.isSymbolicLink()) return { target: view.readlinkSync(path) }
  return stats.isDirectory()
    ? { mode: stats.mode & 0o7777, names: view.readdirSync(path) }
    : view.readFileSync(path, 'utf8')
}

/** The paths that hold no symlink on the way, which the model does not follow. */
function plain(tree: Map<string, Flat>, path: string): boolean {
  const parts = path.split('/').slice(1, -1)
  return parts.every((_, at) => {
    const prefix = expected(tree, `/${parts.slice(0, at + 1).join('/')}`)
    return prefix === undefined || typeof prefix === 'string' || 'children' in prefix
  })
}

test('every path of the union is what unpacking the layers in turn gives', () => {
  fc.assert(
    fc.property(layers, stack => {
      const tree = flatten(stack)
      const view = viewOf(stack)
      for (const path of paths) {
        if (!plain(tree, path)) continue
        const want = expected(tree, path)
        const flat =
          typeof want === 'object' && 'children' in want
            ? { mode: want.mode, names: [...want.children.keys()].sort() }
            : want
        assert.deepEqual(shown(view, path), flat, path)
      }
    }),
    { numRuns: 400 },
  )
})

test('P-13: an empty layer anywhere changes nothing; P-12: nor does a whiteout that hides nothing', () => {
  const everything = (stack: readonly Record<string, Node>[]) => {
    const view = viewOf(stack)
    return view.readdirSync('/', { recursive: true }).map(path => [path, shown(view, `/${path}`)])
  }
  fc.assert(
    fc.property(layers, fc.nat(5), (stack, at) => {
      const before = everything(stack)
      assert.deepEqual(everything([...stack.slice(0, at), {}, ...stack.slice(at)]), before)
      assert.deepEqual(everything([{ zz: { kind: 'gone' } }, ...stack]), before)
    }),
    { numRuns: 200 },
  )
})

test('P-04: a name is listed exactly when lstat finds it, with the type that lstat tells; walk visits exactly these', async () => {
  await fc.assert(
    fc.asyncProperty(layers, async stack => {
      const view = viewOf(stack)
      const dirents = view.readdirSync('/', { recursive: true, withFileTypes: true })
      for (const dirent of dirents) {
        const stats = view.lstatSync(`${dirent.parentPath}/${dirent.name}`)
        assert.equal(dirent.isDirectory(), stats.isDirectory())
        assert.equal(dirent.isSymbolicLink(), stats.isSymbolicLink())
      }
      const walked: string[] = []
      for await (const entry of view.walk()) walked.push(entry.path)
      const listed = view.readdirSync('/', { recursive: true }).map(path => `/${path}`)
      assert.deepEqual(walked.sort(), ['/', ...listed].sort())
    }),
    { numRuns: 100 },
  )
})

/** Follows a path over the flat tree: names are taken one by one, a link's target goes in front of what is left. */
function reach(tree: Map<string, Flat>, path: string): Flat | undefined {
  const at: string[] = []
  const nodeAt = () => (at.length === 0 ? { mode: 0, children: tree } : expected(tree, `/${at.join('/')}`))
  let hops = 0
  for (let queue = path.split('/'); queue.length > 0; ) {
    const part = queue.shift()!
    const here = nodeAt()
    if (typeof here !== 'object' || !('children' in here)) return undefined
    if (part === '' || part === '.') continue
    if (part === '..') {
      at.pop()
      continue
    }
    const next = here.children.get(part)
    if (next === undefined) return undefined
    if (typeof next === 'object' && 'target' in next) {
      if (++hops > 40) return undefined
      if (next.target.startsWith('/')) at.length = 0
      queue = [...next.target.split('/'), ...queue]
    } else at.push(part)
  }
  return nodeAt()
}

/** Undefined for what is not there, and for links that lead nowhere but round in circles. */
function statOf(view: ReturnType<typeof createView>, path: string, name: 'statSync' | 'lstatSync' = 'statSync') {
  try {
    return view[name](path)
  } catch (error) {
    assert.ok(isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP'))
    return undefined
  }
}

test('P-41, P-42: paths through symlinks end where a walk over the flat tree ends', () => {
  const part = fc.constantFrom('a', 'b', 'c', '..', '.')
  fc.assert(
    fc.property(layers, fc.array(part, { minLength: 1, maxLength: 5 }), (stack, parts) => {
      const path = `/${parts.join('/')}`
      const found = reach(flatten(stack), path)
      const view = viewOf(stack)
      const stats = statOf(view, path)
      const shown =
        stats === undefined ? undefined : stats.isDirectory() ? 'directory' : view.readFileSync(path, 'utf8')
      assert.equal(shown, typeof found === 'object' ? 'directory' : found)
    }),
    { numRuns: 500 },
  )
})
