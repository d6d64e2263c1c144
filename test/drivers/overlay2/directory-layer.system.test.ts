/** A layer over a `diff/` directory: what a packed layer of the same tar tells, and never what lies outside. Needs root. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ByteString } from '../../../src/byte-string.js'
import { ABSENT } from '../../../src/drivers/layer.js'
import { type DirectoryLayer, openDirectoryLayer } from '../../../src/drivers/overlay2/directory-layer.js'
import type { SystemCalls } from '../../../src/native/system-calls.js'
import type { DiffId } from '../../../src/oci/digest.js'
import { createView } from '../../../src/overlay/face/view.js'
import { inDirectory } from '../../build/in-directory.js'
import { layerOf } from '../../build/layerfile.js'
import { makeTree, systemCalls } from '../../build/real-tree.js'
import { toldLayer } from '../../build/told-layer.js'
import { dir, file, gone } from '../../build/tree-literals.js'
import { tarOfTree } from '../../build/tree-tar.js'
import { freshSeed, sequence, type TreeNode, type TreeNodes } from '../../build/union-sequence.js'

const calls = await systemCalls()
const diffId = `sha256:${'a'.repeat(64)}` as DiffId
const name = (text: string) => text as ByteString

function open(diff: string, using: SystemCalls = calls): Promise<DirectoryLayer> {
  return openDirectoryLayer(diff, { calls: using, diffId, sizeBytes: 7 })
}

/** A layer of this tree, in a directory that has a neighbour. */
function withLayer(tree: TreeNodes, work: (layer: DirectoryLayer, diff: string) => Promise<void>): () => Promise<void> {
  return inDirectory(async directory => {
    const diff = join(directory, 'diff')
    makeTree(calls, diff, tree)
    fs.writeFileSync(join(directory, 'secret'), 'of the host')
    const layer = await open(diff)
    try {
      await work(layer, diff)
    } finally {
      await layer.close()
    }
  })
}

const odd: TreeNodes = {
  'n\xff\xfe': file('not utf8', { mode: 0o4755, uid: 70_000, gid: 2 ** 31, mtime: 1_000_123_456_789 }),
  d: dir({ s: { t: 'l', target: '../\xe9', mtime: 5e9 }, big: file('y'.repeat(300_000)), gone }, { opaque: true }),
  h: { t: 'f', link: 'd/big' },
  old: file('before the epoch', { mtime: -2_000_000_000 }),
  null: { t: 'c', mode: 0o666, rdev: [1, 3], mtime: 1e9 },
  disk: { t: 'b', mode: 0o660, rdev: [259, 70_000], mtime: 1e9 },
  fifo: { t: 'p', mode: 0o644, mtime: 1e9 },
  x: file('', { xattrs: { 'user.k': 'v\x00', 'security.capability': '\x01\0\0\x02\0 \0\0\0\0\0\0\0\0\0\0\0\0\0\0' } }),
}

/** The header of a hard link tells its inode's attributes, as in a tar that was packed from a directory. */
function withLinks(tree: TreeNodes, root = tree): TreeNodes {
  const at = (path: string) =>
    path.split('/').reduce<TreeNode>((node, each) => node.children![each]!, { t: 'd', children: root })
  return Object.fromEntries(
    Object.entries(tree).map(([each, node]) => {
      if (node.children !== undefined) return [each, { ...node, children: withLinks(node.children, root) }]
      return [each, node.link === undefined ? node : { ...at(node.link), link: node.link }]
    }),
  )
}

test('what a packed layer of the same tar tells: odd names, owners, times, devices, xattrs', async t => {
  const packed = await layerOf(t, tarOfTree(withLinks(odd)))
  await withLayer(odd, async layer => assert.deepEqual(toldLayer(layer), toldLayer(packed)))()
})

test('what packed layers of the same tars tell: 120 random trees with whiteouts, opaque directories, hard links', async t => {
  const seed = freshSeed()
  for (let at = seed; at < seed + 40; at++)
    for (const tree of sequence(at, 0, 3).layers) {
      const packed = await layerOf(t, tarOfTree(withLinks(tree)))
      await withLayer(tree, async layer => {
        assert.deepEqual(toldLayer(layer), toldLayer(packed), `seed ${at}`)
      })()
    }
})

test(
  'a directory is read when it is asked for, and once; opening reads none',
  inDirectory(async directory => {
    makeTree(calls, join(directory, 'diff'), { a: dir({ b: dir({ f: file() }) }), c: dir({ g: file() }) })
    let reads = 0
    const counting: SystemCalls = {
      ...calls,
      openat2(...how) {
        reads++
        return calls.openat2(...how)
      },
    }
    const layer = await open(join(directory, 'diff'), counting)
    assert.equal(reads, 0)
    const a = layer.lookup(0, name('a'))
    for (let i = 0; i < 9; i++) assert.ok(layer.lookup(a, name('b')) > 0)
    assert.equal(layer.lookup(a, name('x')), ABSENT)
    layer.list(a, () => undefined)
    assert.equal(reads, 2)
    assert.equal(layer.inodeCount, 4)
    await layer.close()
  }),
)

test(
  'overlayfs keeps its notes to itself; an escaped one is the user’s; opaque is exactly y, and never the root',
  withLayer(
    {
      d: dir(
        {},
        { overlay: { 'trusted.overlay.opaque': 'x', 'trusted.overlay.origin': 'o', 'trusted.overlayfs': 'mine' } },
      ),
      e: dir({}, { overlay: { 'trusted.overlay.opaque': 'yy', 'trusted.overlay.overlay.opaque': 'y' } }),
      o: dir({}, { opaque: true }),
    },
    async (layer, diff) => {
      calls.lsetxattr(diff, name('trusted.overlay.opaque'), Buffer.from('y'))
      const [d, e, o] = ['d', 'e', 'o'].map(each => layer.lookup(0, name(each))) as [number, number, number]
      assert.deepEqual(
        [0, d, e, o].map(inode => layer.opaque(inode)),
        [false, false, false, true],
      )
      const shown = (inode: number) => layer.xattrs(inode).map(each => `${each.name}=${each.value}`)
      assert.deepEqual([0, d, e, o].map(shown), [[], ['trusted.overlayfs=mine'], ['trusted.overlay.opaque=y'], []])
    },
  ),
)

test(
  'nothing leads outside: a directory that became a symlink, a file that became one, a root that is one',
  withLayer({ d: dir({ secret: file('inside') }), f: file('inside') }, async (layer, diff) => {
    const [d, f] = [layer.lookup(0, name('d')), layer.lookup(0, name('f'))]
    const secret = layer.lookup(d, name('secret'))
    fs.rmSync(join(diff, 'd'), { recursive: true })
    fs.symlinkSync('..', join(diff, 'd'))
    fs.rmSync(join(diff, 'f'))
    fs.symlinkSync('../secret', join(diff, 'f'))
    const corrupt = { code: 'STORE_CORRUPT' }
    const into = Buffer.alloc(20)
    for (const inode of [secret, f]) {
      assert.throws(() => layer.readSync(inode, 0, into), corrupt)
      assert.throws(() => layer.contentSync(inode, 99), corrupt)
      await assert.rejects(layer.read(inode, 0, into), corrupt)
    }
    assert.throws(() => layer.xattrs(secret), corrupt)
    const again = await open(diff)
    assert.equal(again.readlink(again.lookup(0, name('d'))), '..')
    assert.equal(again.lookup(again.lookup(0, name('d')), name('secret')), ABSENT)
    await again.close()
    fs.symlinkSync('diff', `${diff}-link`)
    await assert.rejects(open(`${diff}-link`), { code: 'STORE_IO', path: `${diff}-link` })
  }),
)

test(
  'what a living dockerd took away is an error that names it; a fifo in its place makes nobody wait',
  withLayer({ d: dir({ f: file('x') }), g: file('x'), l: { t: 'l', target: 'x' } }, async (layer, diff) => {
    const [d, g, l] = ['d', 'g', 'l'].map(each => layer.lookup(0, name(each))) as [number, number, number]
    fs.rmSync(join(diff, 'd'), { recursive: true })
    fs.rmSync(join(diff, 'g'))
    fs.rmSync(join(diff, 'l'))
    assert.throws(() => layer.list(d, () => undefined), { code: 'STORE_CORRUPT', path: join(diff, 'd') })
    assert.throws(() => layer.readSync(g, 0, Buffer.alloc(1)), { code: 'STORE_CORRUPT', path: join(diff, 'g') })
    assert.throws(() => layer.readlink(l), { code: 'STORE_CORRUPT', path: join(diff, 'l') })
    calls.mknod(join(diff, 'g'), 0o010644, 0, 0)
    await assert.rejects(layer.read(g, 0, Buffer.alloc(1)), { code: 'STORE_CORRUPT', path: join(diff, 'g') })
    await assert.rejects(open(`${diff}-gone`), { code: 'STORE_IO', errno: 'ENOENT' })
  }),
)

test(
  'closed, it is closed, and leaves no descriptor behind',
  withLayer({ d: dir(), f: file('x') }, async (layer, diff) => {
    const open = () => fs.readdirSync('/proc/self/fd').length
    const [before, d, f] = [open(), layer.lookup(0, name('d')), layer.lookup(0, name('f'))]
    await layer.read(f, 0, Buffer.alloc(1))
    fs.rmSync(join(diff, 'f'))
    await assert.rejects(layer.read(f, 0, Buffer.alloc(1)))
    assert.equal(open(), before)
    await layer.close()
    await layer.close()
    assert.equal(open(), before - 1)
    assert.throws(() => layer.list(d, () => undefined), { code: 'STORE_CLOSED' })
    await assert.rejects(layer.read(f, 0, Buffer.alloc(1)), { code: 'STORE_CLOSED' })
  }),
)

test(
  'reading changes no time of access',
  withLayer({ d: dir({ f: file('x') }) }, async (layer, diff) => {
    const atimes = () => ['d', 'd/f'].map(each => fs.statSync(join(diff, each), { bigint: true }).atimeNs)
    const before = atimes()
    toldLayer(layer)
    assert.deepEqual(atimes(), before)
  }),
)

test('a view of directories shows what a view of packed layers shows, in any order of a walk', async t => {
  const trees: TreeNodes[] = [
    { d: dir({ a: file('a'), b: file('b'.repeat(9000)) }), twin: { t: 'f', link: 'd/a' } },
    { d: dir({ a: gone, c: file('c') }), e: dir({ f: file('f') }) },
  ]
  const packed = createView(await Promise.all(trees.map(tree => layerOf(t, tarOfTree(withLinks(tree))))))
  await inDirectory(async directory => {
    const diffs = trees.map((tree, at) => {
      makeTree(calls, join(directory, `${at}`), tree)
      return join(directory, `${at}`)
    })
    const layers = await Promise.all(diffs.map(diff => open(diff)))
    const view = createView(layers)
    for (const order of ['path', 'stored'] as const) {
      const shown = async (of: typeof view) => {
        const lines: string[] = []
        for await (const entry of of.walk({ order }))
          lines.push(`${entry.path} ${entry.type === 'file' ? await entry.content() : entry.mode}`)
        return lines
      }
      assert.deepEqual((await shown(view)).sort(), (await shown(packed)).sort())
    }
    const inodes = ['/d', '/d/b', '/d/c', '/e', '/e/f', '/twin', '/'].map(path => view.statSync(path).ino)
    assert.equal(new Set(inodes).size, inodes.length)
    assert.ok(inodes.every(Number.isSafeInteger))
    assert.equal(view.statfsSync('/').blocks, 1)
    assert.equal((await view.promises.readFile('/d/b')).length, 9000)
    await view.close()
    for (const layer of layers) await layer.close()
  })()
})

test(
  'times before 1970 with parts of a second',
  withLayer({ f: file() }, async (_, diff) => {
    calls.utimensat(join(diff, 'f'), { sec: 0, nsec: 0 }, { sec: -2, nsec: 500_000_001 })
    const layer = await open(diff)
    const { mtimeSec, mtimeNsec } = layer.inode(layer.lookup(0, name('f')))
    assert.deepEqual([mtimeSec, mtimeNsec], [-2, 500_000_001])
    await layer.close()
  }),
)
