/**
 * Layers, paths and values for fast-check: few names, so that they meet, and what is plainest first, so that a failure shrinks to
 * it. Times are whole seconds, which a layer's tar keeps.
 */
import fc from 'fast-check'
import type { NaiveTrees } from './naive-trees.js'
import type { TreeNode, TreeNodes } from './union-sequence.js'

export const names = ['a', 'b', 'c', 'd'] as const
const name = fc.constantFrom(...names)
const seconds = 1_000_000_000

export const fileModes = fc.constantFrom(0o644, 0o600, 0o4755, 0o2711, 0)
export const directoryModes = fc.constantFrom(0o755, 0o700, 0o1755, 0o555)
export const times = fc.constantFrom(...[1_000_000_000, 1_100_000_000, 1_200_000_000].map(sec => sec * seconds))
export const owners = fc.constantFrom(0, 1000)
export const targets = fc.constantFrom('a', 'b', '../a', 'b/c', '/b', '/a/b', '.', '..', 'c/')
export const data = fc.constantFrom('', 'x', 'yy', 'data')
export const xattrNames = fc.constantFrom('user.k', 'user.z', 'trusted.t')

/** Mostly without anything odd behind it. */
const ending = fc.oneof(
  { weight: 30, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom('/', '/.', '/..') },
)
const fixed = fc.array(name, { maxLength: 3 }).map(parts => `/${parts.join('/')}`)
const pick = fc.nat(40)
/**
 * Paths that are written down, and those that depend on what there is when it comes to it: `@p7` is the seventh of all paths,
 * `@d7/a` a name in the seventh of all directories. `pathIn` says which that is.
 */
const somewhere = (there: number, free: number) =>
  fc
    .tuple(
      fc.oneof(
        { weight: 2, arbitrary: fixed },
        { weight: there, arbitrary: pick.map(at => `@p${at}`) },
        { weight: free, arbitrary: fc.tuple(pick, name).map(([at, each]) => `@d${at}/${each}`) },
      ),
      ending,
    )
    .map(([path, end]) => (path === '/' ? path : path + end))

/** For what has to be there, and for what had better not. */
export const paths = somewhere(6, 1)
export const newPaths = somewhere(1, 6)

/** Of a model's tree. */
export function pathIn(model: NaiveTrees, path: string): string {
  const [, kind, at, rest] = /^@([pd])(\d+)(.*)$/.exec(path) ?? []
  if (kind === undefined) return path
  const all = [...allPaths(model.dump(), '')].filter(([, { t }]) => kind === 'p' || t === 'd').map(([each]) => each)
  if (kind === 'd') all.unshift('')
  return all.length === 0 ? `/a${rest}` : all[Number(at) % all.length] + rest!
}

function* allPaths(tree: TreeNodes, at: string): Generator<[string, TreeNode]> {
  for (const [name, node] of Object.entries(tree)) {
    yield [`${at}/${name}`, node]
    yield* allPaths(node.children ?? {}, `${at}/${name}`)
  }
}

/** Another name of one of the files before it in the layer, whichever. */
interface Another {
  readonly t: 'another'
  readonly which: number
}

type Draft = (Omit<TreeNode, 'children'> & { readonly children?: Drafts }) | Another
type Drafts = { readonly [name: string]: Draft }

const plain = { uid: owners, gid: owners, mtime: times }
const xattrs = fc.constantFrom<TreeNode['xattrs'][]>({}, { 'user.k': 'v' })

const { node } = fc.letrec<{ node: Draft }>(tie => ({
  node: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    {
      weight: 4,
      arbitrary: fc.record({ t: fc.constant('f' as const), ...plain, mode: fileModes, data, xattrs: present(xattrs) }),
    },
    { weight: 1, arbitrary: fc.record({ t: fc.constant('another' as const), which: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.constant({ t: 'w' as const }) },
    { weight: 2, arbitrary: fc.record({ t: fc.constant('l' as const), ...plain, target: targets }) },
    { weight: 1, arbitrary: fc.record({ t: fc.constant('p' as const), ...plain, mode: fileModes }) },
    {
      weight: 1,
      arbitrary: fc.record({
        t: fc.constant('c' as const),
        ...plain,
        mode: fileModes,
        rdev: fc.constant([1, 3] as const),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        t: fc.constant('d' as const),
        ...plain,
        mode: directoryModes,
        opaque: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
        xattrs: present(xattrs),
        children: fc.dictionary(name, tie('node'), { maxKeys: 3, size: 'max', noNullPrototype: true }),
      }),
    },
  ),
}))

function present<T>(arbitrary: fc.Arbitrary<T | undefined>): fc.Arbitrary<T> {
  return arbitrary as fc.Arbitrary<T>
}

function settle(drafts: Drafts, files: string[], at: string): TreeNodes {
  const nodes: Record<string, TreeNode> = {}
  for (const [name, draft] of Object.entries(drafts)) {
    const path = at + name
    if (draft.t === 'another') {
      if (files.length > 0) nodes[name] = { t: 'f', link: files[draft.which % files.length]! }
      continue
    }
    const { children, ...rest } = draft
    nodes[name] = children === undefined ? rest : { ...rest, children: settle(children, files, `${path}/`) }
    if (draft.t === 'f') files.push(path)
  }
  return nodes
}

/** Base first. */
export const layers = (maxLayers = 4): fc.Arbitrary<TreeNodes[]> =>
  fc.noBias(
    fc.array(
      fc
        .dictionary(name, node, { maxKeys: 3, size: 'max', noNullPrototype: true })
        .map(drafts => settle(drafts, [], '')),
      { minLength: 1, maxLength: maxLayers, size: 'max' },
    ),
  )
