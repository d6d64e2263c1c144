/**
 * The tree of one layer: the rows A to D of the threat catalogue that concern it (P-62, P-64), and what must keep working (T).
 * Letters as in the catalogue: D directory, F file, S symlink, H hard link, C character device, P fifo.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ErrorCode } from '../../src/errors.js'
import { contentOf, inodeAt, layerOf, treeOf, type WriteOptions } from '../build/layerfile.js'
import { char as C, dir as D, file as F, hardlink as H, fifo as P, symlink as S, tar } from '../build/tar.js'

type Case = readonly [
  name: string,
  archive: readonly Uint8Array[],
  expected: readonly string[] | ErrorCode | readonly ErrorCode[],
]

function isCode(expected: Case[2]): expected is ErrorCode | readonly ErrorCode[] {
  return typeof expected === 'string' || (expected.length > 0 && /^[A-Z_]+$/.test(expected[0]!))
}

async function check(t: TestContext, archive: readonly Uint8Array[], expected: Case[2], options?: WriteOptions) {
  if (!isCode(expected)) return assert.deepEqual(treeOf(await layerOf(t, tar(archive), options)), expected)
  await assert.rejects(layerOf(t, tar(archive), options), (error: Error & { code: string; member: string }) => {
    assert.ok([expected].flat().includes(error.code as ErrorCode), `${error.code}: ${error.message}`)
    assert.ok(error.message.startsWith('test.tar: '), error.message)
    return true
  })
}

const wh = (name: string) => F(name)
const opq = (dir: string) => F(`${dir}.wh..wh..opq`)

const cases: readonly Case[] = [
  ['A1 a name that climbs', [F('../victim/x')], 'PATH_ESCAPE'],
  ['A1 a name that climbs after a directory', [F('a/../../victim/x')], 'PATH_ESCAPE'],
  ['A1 the parent of the root', [F('..')], 'PATH_ESCAPE'],
  ['A1 the parent of the root as a directory', [D('..')], 'PATH_ESCAPE'],
  ['A1 an absolute name that climbs', [F('/../victim/x')], 'PATH_ESCAPE'],
  [
    'A2 absolute names',
    [F('/abs/x', '1'), F('//abs/y', '2'), F('./z', '3')],
    ['abs d implied', 'abs/x f 1', 'abs/y f 2', 'z f 3'],
  ],
  [
    'A3 through a symlink that climbs',
    [S('l', '../victim'), F('l/x', '1')],
    ['l l →../victim', 'victim d implied', 'victim/x f 1'],
  ],
  [
    'A4 two hops that climb together',
    [D('in'), S('in/up', '..'), S('in/up/esc', '../victim'), F('in/up/esc/x', '1')],
    ['esc l →../victim', 'in d', 'in/up l →..', 'victim d implied', 'victim/x f 1'],
  ],
  [
    'below a directory that became a symlink, names go where it leads',
    [D('b'), D('a'), F('a/x'), S('a', 'b'), F('a/y', '1')],
    ['a l →b', 'b d', 'b/y f 1'],
  ],
  ['below a directory that became a file there is nothing', [D('a'), F('a/x'), F('a'), F('a/y')], 'TAR_INVALID'],
  ['A5 a file over a symlink', [S('f', '../victim/hello'), F('f', 'OVER')], ['f f OVER']],
  ['A7 the root as a file', [F('.')], 'PATH_ESCAPE'],
  ['A7 the root as a symlink', [S('.', '/etc')], 'PATH_ESCAPE'],
  ['A7 the root as a symlink, named /', [S('/', '../victim')], 'PATH_ESCAPE'],
  ['A7 the root as a hard link', [F('x'), H('.', 'x'), F('passwd')], 'PATH_ESCAPE'],
  ['A8 a hard link to outside', [H('h', '../victim/hello'), F('h', 'OVER')], 'PATH_ESCAPE'],
  ['A9 a hard link to a sibling with the same prefix', [H('g', '../dest-evil/secret')], 'PATH_ESCAPE'],
  ['A10 a hard link to a file of the working directory', [H('g', 'cwdfile')], 'TAR_INVALID'],
  [
    'A11 an absolute hard link target',
    [F('usr/bin/x', '1'), H('g', '/usr/bin/x')],
    ['g f 1 ×2', 'usr d implied', 'usr/bin d implied', 'usr/bin/x f 1 ×2'],
  ],
  [
    'A12 a hard link to a symlink',
    [S('p', '/abs/outside'), H('q', 'p', { mode: 0o4777 })],
    ['p l →/abs/outside ×2', 'q l →/abs/outside ×2'],
  ],
  ['A13 a hard link through a symlink to what is not there', [S('l', '/etc'), H('m', 'l/passwd')], 'TAR_INVALID'],
  [
    'A13 a hard link through a symlink',
    [F('etc/passwd', '1'), S('l', '/etc'), H('m', 'l/passwd')],
    ['etc d implied', 'etc/passwd f 1 ×2', 'l l →/etc', 'm f 1 ×2'],
  ],
  [
    'A14 a directory that becomes a symlink and a directory again',
    [D('foo'), F('foo/t', '1'), S('foo', '/'), F('foo/t', '2'), D('foo'), F('foo/t', '3')],
    ['foo d', 'foo/t f 3', 't f 2'],
  ],
  ['A17 a loop of symlinks', [S('a', 'b'), S('b', 'a'), F('a/x')], 'PATH_ESCAPE'],
  ['A17 a symlink to itself', [S('a', 'a'), F('a/x')], 'PATH_ESCAPE'],
  [
    'A17 a chain of 60 symlinks',
    [...Array.from({ length: 60 }, (_, i) => S(`l${i}`, `l${i + 1}`)), F('l0/x')],
    'PATH_ESCAPE',
  ],
  ['A18 a file as a directory', [F('x'), F('x/y')], 'TAR_INVALID'],
  ['A18 a whiteout below a file', [F('x'), wh('x/.wh.y')], 'TAR_INVALID'],
  [
    'A19 a whiteout through a symlink',
    [S('l', '../victim'), wh('l/.wh.x')],
    ['l l →../victim', 'victim d implied', 'victim/x whiteout'],
  ],

  ['B1 .wh..', [F('.wh..')], 'WHITEOUT_INVALID'],
  ['B1 .wh.. below', [F('etc/.wh..')], 'WHITEOUT_INVALID'],
  ['B2 .wh...', [F('.wh...')], 'WHITEOUT_INVALID'],
  ['B2 .wh... below', [F('etc/.wh...')], 'WHITEOUT_INVALID'],
  ['B3 .wh.', [F('.wh.')], 'WHITEOUT_INVALID'],
  ['B3 .wh. below', [F('d/.wh.')], 'WHITEOUT_INVALID'],
  ['B4 .wh..wh.x', [F('.wh..wh.x')], 'WHITEOUT_INVALID'],
  ['B4 .wh..wh.aufs', [F('.wh..wh.aufs')], 'WHITEOUT_INVALID'],
  ['B4 .wh..wh.plnk', [F('.wh..wh.plnk/1.2')], 'WHITEOUT_INVALID'],
  ['B4 a hard link to .wh..wh.plnk', [H('a', '.wh..wh.plnk/1.2')], 'TAR_INVALID'],
  ['B4 an opaque root is ignored', [opq(''), F('a', '1')], ['a f 1']],
  ['B5 a whiteout as a directory', [D('.wh.etc'), F('.wh.etc/x')], 'WHITEOUT_INVALID'],
  ['B5 a whiteout as a directory of a symlink', [S('l', '.wh.etc'), F('l/x')], 'WHITEOUT_INVALID'],
  ['B5 a whiteout is one by its name: directory', [D('.wh.etc')], ['etc whiteout']],
  ['B5 a whiteout is one by its name: symlink', [S('.wh.x', 'y')], ['x whiteout']],
  ['B5 a whiteout is one by its name: body', [F('.wh.x', 'body')], ['x whiteout']],
  ['B5 a whiteout is one by its name: device', [C('.wh.x', 1, 3)], ['x whiteout']],
  ['B5 a whiteout is one by its name: hard link to nothing', [H('.wh.x', 'nothing')], ['x whiteout']],
  ['B6 an opaque mark behind', [F('d/new', '1'), opq('d/')], ['d d opaque implied', 'd/new f 1']],
  ['B6 an opaque mark before', [opq('d/'), F('d/new', '1')], ['d d opaque implied', 'd/new f 1']],
  ['B7 a whiteout before its entry', [wh('.wh.a'), F('a', 'new')], ['a f new']],
  ['B7 a whiteout behind its entry', [F('a', 'new'), wh('.wh.a')], ['a f new']],
  ['B8 a whiteout in an opaque directory', [D('d'), opq('d/'), wh('d/.wh.x')], ['d d opaque', 'd/x whiteout']],
  ['B9 an entry below a whiteout', [wh('.wh.d'), F('d/x', '1')], ['d d opaque implied', 'd/x f 1']],
  ['B9 a whiteout behind the directory', [D('d'), F('d/x', '1'), wh('.wh.d')], ['d d opaque', 'd/x f 1']],
  ['B9 a whiteout and an empty directory', [wh('.wh.d'), D('d')], ['d d opaque']],
  [
    'B9 an entry further below a whiteout',
    [F('d/e/x', '1'), wh('.wh.d')],
    ['d d opaque implied', 'd/e d implied', 'd/e/x f 1'],
  ],
  ['B10 a whiteout of nothing', [wh('.wh.nothing')], ['nothing whiteout']],
  ['B11 a whiteout below what is not here', [wh('a/b/.wh.c')], ['a d implied', 'a/b d implied', 'a/b/c whiteout']],
  ['B12 a whiteout below a name of the lower layer', [wh('l/.wh.x')], ['l d implied', 'l/x whiteout']],

  ['C1 a character device 0:0 is a whiteout', [C('x', 0, 0)], ['x whiteout']],
  ['C1 a character device 0:0 and an entry', [F('x', '1'), C('x', 0, 0)], ['x f 1']],

  ['D30 two files', [F('a', '1'), F('a', '2')], ['a f 2']],
  ['D30 file, then directory', [F('a', '1'), D('a')], ['a d']],
  ['D30 directory, then file', [D('a'), F('a/x'), F('a', '1')], ['a f 1']],
  [
    'D30 one name in five spellings',
    [F('b/y'), F('a', '1'), F('./a', '2'), F('/a', '3'), F('b/../a', '4')],
    ['a f 4', 'b d implied', 'b/y f'],
  ],
  ['D30 a trailing slash', [F('a', '1'), D('a/')], ['a d']],
  [
    'D30 directory over directory keeps the children',
    [D('a', { mode: 0o700 }), F('a/x', '1'), D('a')],
    ['a d', 'a/x f 1'],
  ],
  ['D31 a hard link before its target', [H('h', 'f'), F('f')], 'TAR_INVALID'],
  ['D31 a hard link to what is replaced later', [F('f', '1'), H('h', 'f'), F('f', '2')], ['f f 2', 'h f 1']],
  ['D31 a hard link to a directory', [D('d'), H('h', 'd')], 'TAR_INVALID'],
  ['D31 a hard link to the root', [H('h', '/')], 'TAR_INVALID'],
  ['D31 a hard link to itself', [H('h', 'h')], 'TAR_INVALID'],
  ['D31 a hard link to the file that it replaces', [F('h', '1'), H('h', 'h')], 'TAR_INVALID'],
  ['D31 a hard link into the directory that it replaces', [F('h/x', '1'), H('h', 'h/x')], 'TAR_INVALID'],
  ['D31 a hard link to a whiteout', [wh('.wh.x'), H('h', 'x')], 'TAR_INVALID'],
  ['D31 a hard link to a file of a lower layer', [H('h', 'lower')], 'TAR_INVALID'],
  ['D31 a hard link below a file', [F('f'), H('h', 'f/x')], 'TAR_INVALID'],

  [
    'T1 a symlink with more .. than it is deep',
    [S('etc/pki/cacerts', '../../../../../../etc/x'), F('etc/x', '1')],
    ['etc d implied', 'etc/pki d implied', 'etc/pki/cacerts l →../../../../../../etc/x', 'etc/x f 1'],
  ],
  [
    'T1 the same as a parent',
    [S('a/l', '../../../../b'), F('a/l/x', '1')],
    ['a d implied', 'a/l l →../../../../b', 'b d implied', 'b/x f 1'],
  ],
  ['T2 a symlink over a symlink', [S('sh', 'dash'), S('sh', 'bash')], ['sh l →bash']],
  ['T2 a file over a symlink', [S('sh', 'dash'), F('sh', '1')], ['sh f 1']],
  [
    'T3 dangling and absolute symlinks',
    [S('etc/mtab', '/proc/mounts'), S('run', '/nowhere')],
    ['etc d implied', 'etc/mtab l →/proc/mounts', 'run l →/nowhere'],
  ],
  [
    'T4 a real directory where the lower layer has a symlink',
    [F('lib/systemd/x', '1')],
    ['lib d implied', 'lib/systemd d implied', 'lib/systemd/x f 1'],
  ],
  [
    'T5 below an absolute symlink of this layer',
    [S('var/run', '/run'), F('var/run/a/b', '1')],
    ['run d implied', 'run/a d implied', 'run/a/b f 1', 'var d implied', 'var/run l →/run'],
  ],
  [
    'T7 a hard link through an absolute symlink',
    [D('run'), S('var/run', '/run'), F('var/run/source', '1'), H('var/run/link', 'var/run/source')],
    ['run d', 'run/link f 1 ×2', 'run/source f 1 ×2', 'var d implied', 'var/run l →/run'],
  ],
  [
    'T8 parents behind their children',
    [F('a/b/c', '1'), D('a/b', { mode: 0o555 }), D('a')],
    ['a d', 'a/b d', 'a/b/c f 1'],
  ],
  ['T14 devices and fifos', [C('dev/null', 1, 3), P('x')], ['dev d implied', 'dev/null c 1:3', 'x p']],
  ['T19 nested whiteouts', [wh('.wh.foo'), wh('foo/.wh.bar')], ['foo whiteout']],
  ['T19 nested whiteouts, the other way round', [wh('foo/.wh.bar'), wh('.wh.foo')], ['foo whiteout']],
  ['T19 nested whiteouts two deep', [wh('foo/bar/.wh.x'), wh('.wh.foo')], ['foo whiteout']],
  ['T19 an opaque mark below a whiteout', [opq('foo/'), wh('.wh.foo')], ['foo whiteout']],
  [
    'T19 nested whiteouts and an entry',
    [wh('.wh.foo'), wh('foo/.wh.bar'), F('foo/new', '1')],
    ['foo d opaque implied', 'foo/bar whiteout', 'foo/new f 1'],
  ],
]

for (const [name, archive, expected] of cases) test(name, t => check(t, archive, expected))

test('A12 the link header does not set the mode of a symlink, and does set its owner', async t => {
  const layer = await layerOf(t, tar([S('p', '/x', { mode: 0o777 }), H('q', 'p', { mode: 0o4755, uid: 5 })]))
  const { mode, uid } = layer.inode(inodeAt(layer, 'p'))
  assert.deepEqual([mode, uid], [0o120777, 5])
})

test('C2 to C5 xattrs of overlayfs are not part of the tree, others are', async t => {
  const xattrs = {
    'trusted.overlay.opaque': 'y',
    'user.overlay.redirect': '/hidden',
    'trusted.overlay.overlay.opaque': 'y',
    'security.capability': Buffer.from([1, 0, 10, 61, 255]),
    'user.overlayed': 'kept',
  }
  const layer = await layerOf(t, tar([D('d', { xattrs }), F('f', '', { xattrs: { 'trusted.overlay.metacopy': '' } })]))
  assert.deepEqual(
    layer.xattrs(inodeAt(layer, 'd')).map(({ name, value }) => [name, value.toString('latin1')]),
    [
      ['security.capability', '\x01\0\n=\xff'],
      ['user.overlayed', 'kept'],
    ],
  )
  assert.deepEqual(layer.xattrs(inodeAt(layer, 'f')), [])
  assert.equal(layer.opaque(inodeAt(layer, 'd')), false)
})

test('C14 names of one inode are bounded', async t => {
  const links = (count: number) => [F('f'), ...Array.from({ length: count - 1 }, (_, i) => H(`h${i}`, 'f'))]
  await check(t, links(8), 'LIMIT_EXCEEDED', { limits: { hardLinks: 7 } })
  const layer = await layerOf(t, tar(links(7)), { limits: { hardLinks: 7 } })
  assert.equal(layer.inode(inodeAt(layer, 'f')).nlink, 7)
})

test('a hard link whose other name went away with its directory is counted once', async t => {
  const layer = await layerOf(t, tar([D('a'), F('a/f'), H('g', 'a/f'), F('a')]))
  assert.equal(layer.inode(inodeAt(layer, 'g')).nlink, 1)
  assert.equal(layer.inodeCount, 3)
})

test('D31 the header of a hard link speaks of the shared inode', async t => {
  const { mode, uid, gid, mtimeSec, sizeBytes } = await (async () => {
    const archive = [F('f', 'abc', { uid: 1, mtime: 10 }), H('h', 'f', { mode: 0o4711, uid: 2, gid: 3, mtime: 20 })]
    const layer = await layerOf(t, tar(archive))
    assert.equal(inodeAt(layer, 'h'), inodeAt(layer, 'f'))
    return layer.inode(inodeAt(layer, 'f'))
  })()
  assert.deepEqual([mode, uid, gid, mtimeSec, sizeBytes], [0o104711, 2, 3, 20, 3])
})

test('H1 implied directories are bounded as entries are', async t => {
  const deep = Array.from({ length: 4 }, (_, i) => F(`${i}/a/b/c/d/x`))
  await check(t, deep, 'LIMIT_EXCEEDED', { limits: { layerEntries: 19 } })
  assert.equal((await layerOf(t, tar(deep), { limits: { layerEntries: 20 } })).inodeCount, 1 + 4 * 6)
})

test('H2 symlinks do not lead deeper than names may', async t => {
  const target = 'd/'.repeat(60)
  await check(t, [S('l', target), F('l/x')], 'LIMIT_EXCEEDED', { limits: { pathDepth: 50, pathBytes: 4095 } })
})

test('H6 symlinks that are costly to follow end in an error, not in hours', async t => {
  const costly = 'd/../'.repeat(800)
  const archive = [D('d'), S('l0', costly), ...Array.from({ length: 30 }, (_, i) => S(`l${i + 1}`, `${costly}l${i}`))]
  // By another way each time: what lies beside the entry before it costs no walk.
  await check(t, [...archive, ...Array.from({ length: 60 }, (_, i) => F(`${i}/../l30/${i}`))], 'LIMIT_EXCEEDED')
})

test('T8 a directory entry over an implied directory gives it its attributes', async t => {
  const layer = await layerOf(t, tar([F('a/b'), D('a', { mode: 0o1555, uid: 7, mtime: 9 })]))
  const { mode, uid, mtimeSec, implied } = layer.inode(inodeAt(layer, 'a'))
  assert.deepEqual([mode, uid, mtimeSec, implied], [0o041555, 7, 9, false])
})

test('implied directories are 0755, of root, and of 1970', async t => {
  const layer = await layerOf(t, tar([F('a/b', '', { uid: 4, gid: 4, mtime: 99 })]))
  const { mode, uid, gid, mtimeSec, mtimeNsec } = layer.inode(inodeAt(layer, 'a'))
  assert.deepEqual([mode, uid, gid, mtimeSec, mtimeNsec], [0o040755, 0, 0, 0, 0])
})

test('the attributes of a root entry are ignored', async t => {
  const layer = await layerOf(t, tar([D('./', { mode: 0o700, uid: 9, mtime: 9, xattrs: { 'user.a': '1' } })]))
  const { mode, uid, mtimeSec, opaque } = layer.inode(0)
  assert.deepEqual([mode, uid, mtimeSec, opaque, layer.xattrs(0)], [0o040755, 0, 0, false, []])
})

test('T14 set-id bits, capabilities and large device numbers are kept', async t => {
  const layer = await layerOf(
    t,
    tar([F('ping', 'x', { mode: 0o4755, xattrs: { 'security.capability': 'cap' } }), C('d', 4095, 1048575)]),
  )
  assert.equal(layer.mode(inodeAt(layer, 'ping')), 0o104755)
  assert.equal(layer.xattrs(inodeAt(layer, 'ping'))[0]!.value.toString(), 'cap')
  const { deviceMajor, deviceMinor } = layer.inode(inodeAt(layer, 'd'))
  assert.deepEqual([deviceMajor, deviceMinor], [4095, 1048575])
})

test('a removed directory takes the links below it with it', async t => {
  const layer = await layerOf(t, tar([F('f', '1'), H('d/h', 'f'), F('d', '2')]))
  assert.equal(layer.inode(inodeAt(layer, 'f')).nlink, 1)
  assert.equal(contentOf(layer, inodeAt(layer, 'd')).toString(), '2')
})

test('names are bytes, and come in byte order', async t => {
  const names = [[0xff], [0xfe], [0x61], [0x61, 0x62], [0x61, 0xc3, 0xa9], [0x0a], [0x2e, 0x2e, 0x2e], [0x7a]]
  const layer = await layerOf(t, tar(names.map(bytes => F(Buffer.from(bytes), Buffer.from(bytes)))))
  const listed: string[] = []
  layer.list(0, (name, inode) => {
    listed.push(Buffer.from(name, 'latin1').toString('hex'))
    assert.equal(contentOf(layer, inode).toString('latin1'), name)
    assert.equal(layer.lookup(0, name), inode)
  })
  assert.deepEqual(
    listed,
    names
      .map(bytes => Buffer.from(bytes))
      .sort(Buffer.compare)
      .map(name => name.toString('hex')),
  )
})
