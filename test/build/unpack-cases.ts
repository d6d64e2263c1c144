/**
 * The rows of the threat catalogue that an unpacked layer concerns (A, B, C, and D30 and D31), and what must keep working (T): each
 * with the tree on the disk, or with the code of the refusal. Letters as in the catalogue: D directory, F file, S symlink, H hard
 * link, C and B devices, P fifo.
 */
import type { ErrorCode } from '../../src/errors.js'
import { block as B, char as C, dir as D, file as F, globalPax, hardlink as H, fifo as P, symlink as S } from './tar.js'

export type UnpackCase = readonly [
  name: string,
  archive: readonly Uint8Array[],
  expected: readonly string[] | ErrorCode,
]

const wh = (name: string) => F(name)
const opq = (dir: string) => F(`${dir}.wh..wh..opq`)
const chain = (count: number) => Array.from({ length: count }, (_, i) => S(`l${i}`, `l${i + 1}`))
const latin1 = (text: string) => Buffer.from(text, 'latin1')
const oddNames = [
  '-rf',
  '..data',
  '...',
  'a..b',
  '.wh',
  '.whatever',
  'new\nline',
  ' ',
  '"',
  '\\',
  '\xff',
  '\xfe',
  '\xe9',
]

export const escapeCases: readonly UnpackCase[] = [
  ['A1 a name that climbs', [F('../victim/x', '1')], 'PATH_ESCAPE'],
  ['A1 a name that climbs after a directory', [F('a/../../victim/x', '1')], 'PATH_ESCAPE'],
  ['A1 the parent of the root', [F('..', '1')], 'PATH_ESCAPE'],
  ['A1 the parent of the root as a directory', [D('..', { mode: 0o777 })], 'PATH_ESCAPE'],
  ['A1 an absolute name that climbs', [F('/../victim/x', '1')], 'PATH_ESCAPE'],
  [
    'A2 absolute names',
    [F('/abs/x', '1'), F('//abs/y', '2'), F('./z', '3')],
    ['abs d', 'abs/x f 1', 'abs/y f 2', 'z f 3'],
  ],
  [
    'A3 through a symlink that climbs',
    [S('l', '../victim'), F('l/x', '1')],
    ['l l →../victim', 'victim d', 'victim/x f 1'],
  ],
  [
    'A4 two hops that climb together',
    [D('in'), S('in/up', '..'), S('in/up/esc', '../victim'), F('in/up/esc/x', '1')],
    ['esc l →../victim', 'in d', 'in/up l →..', 'victim d', 'victim/x f 1'],
  ],
  ['A5 a file over a symlink', [S('f', '../victim/hello'), F('f', 'OVER')], 'TAR_INVALID'],
  ['A7 the root as a file', [F('.', '1')], 'PATH_ESCAPE'],
  ['A7 the root as a symlink', [S('.', '/etc')], 'PATH_ESCAPE'],
  ['A7 the root as a symlink, named /', [S('/', '../victim')], 'PATH_ESCAPE'],
  ['A7 the root as a hard link', [F('x'), H('.', 'x'), F('passwd')], 'PATH_ESCAPE'],
  ['A7 the root as a directory', [D('./', { mode: 0o700, uid: 9, mtime: 9 }), F('./a', '1')], ['a f 1']],
  ['A8 a hard link to outside', [H('h', '../victim/hello'), F('h', 'OVER')], 'PATH_ESCAPE'],
  ['A9 a hard link to a sibling with the same prefix', [H('g', '../dest-evil/secret')], 'PATH_ESCAPE'],
  ['A10 a hard link to a file of the working directory', [H('g', 'cwdfile')], 'TAR_INVALID'],
  ['A11 an absolute hard link target', [F('usr/x', '1'), H('g', '/usr/x')], ['g f 1 ×2', 'usr d', 'usr/x f 1 ×2']],
  [
    'A12 a hard link to a symlink',
    [S('p', '../victim/hello'), H('q', 'p', { mode: 0o4777, uid: 5, mtime: 3 })],
    ['p l →../victim/hello ×2', 'q l →../victim/hello ×2'],
  ],
  ['A13 a hard link through a symlink to what is not there', [S('l', '/etc'), H('m', 'l/passwd')], 'TAR_INVALID'],
  [
    'A13 a hard link through a symlink',
    [F('etc/passwd', '1'), S('l', '/etc'), H('m', 'l/passwd')],
    ['etc d', 'etc/passwd f 1 ×2', 'l l →/etc', 'm f 1 ×2'],
  ],
  [
    'A14 a directory that becomes a symlink and a directory again',
    [D('foo'), F('foo/t', '1'), S('foo', '/'), F('foo/t', '2'), D('foo'), F('foo/t', '3')],
    'TAR_INVALID',
  ],
  [
    'A14 an implied directory that becomes a symlink',
    [F('foo/t', '1'), S('foo', '../victim'), F('foo/u')],
    'TAR_INVALID',
  ],
  ['A17 a loop of symlinks', [S('a', 'b'), S('b', 'a'), F('a/x')], 'PATH_ESCAPE'],
  ['A17 a chain of 60 symlinks', [...chain(60), F('l0/x')], 'PATH_ESCAPE'],
  ['A18 a file as a directory', [F('x'), F('x/y')], 'TAR_INVALID'],
  ['A18 a directory as a file', [F('x/y'), F('x')], 'TAR_INVALID'],
  [
    'A19 a whiteout through a symlink',
    [S('l', '../victim'), wh('l/.wh.hello')],
    ['l l →../victim', 'victim d', 'victim/hello whiteout'],
  ],
]

export const whiteoutCases: readonly UnpackCase[] = [
  ['B1 .wh..', [F('.wh..')], 'WHITEOUT_INVALID'],
  ['B1 .wh.. below', [F('etc/.wh..')], 'WHITEOUT_INVALID'],
  ['B2 .wh...', [F('.wh...')], 'WHITEOUT_INVALID'],
  ['B2 .wh... below', [F('etc/.wh...')], 'WHITEOUT_INVALID'],
  ['B3 .wh.', [F('.wh.')], 'WHITEOUT_INVALID'],
  ['B3 .wh. below', [F('d/.wh.')], 'WHITEOUT_INVALID'],
  ['B4 .wh..wh.x', [F('.wh..wh.x')], 'WHITEOUT_INVALID'],
  ['B4 .wh..wh.plnk', [F('.wh..wh.plnk/1.2')], 'WHITEOUT_INVALID'],
  ['B4 a hard link to .wh..wh.plnk', [H('a', '.wh..wh.plnk/1.2')], 'TAR_INVALID'],
  ['B4 an opaque root is ignored', [opq(''), F('a', '1')], ['a f 1']],
  ['B5 a whiteout as a directory', [D('.wh.etc'), F('.wh.etc/x')], 'WHITEOUT_INVALID'],
  ['B5 a whiteout as a directory of a symlink', [S('l', '.wh.etc'), F('l/x')], 'WHITEOUT_INVALID'],
  ['B5 a whiteout is one by its name: directory', [D('.wh.etc')], ['etc whiteout']],
  ['B5 a whiteout is one by its name: symlink', [S('.wh.x', 'y')], ['x whiteout']],
  ['B5 a whiteout is one by its name: body', [F('.wh.x', 'body'), F('y', '1')], ['x whiteout', 'y f 1']],
  ['B5 a whiteout is one by its name: device', [C('.wh.x', 1, 3)], ['x whiteout']],
  ['B5 a whiteout is one by its name: hard link to nothing', [H('.wh.x', 'nothing')], ['x whiteout']],
  ['B6 an opaque mark behind', [F('d/new', '1'), opq('d/')], ['d d opaque', 'd/new f 1']],
  ['B6 an opaque mark before', [opq('d/'), F('d/new', '1')], ['d d opaque', 'd/new f 1']],
  ['B6 an opaque mark alone', [opq('d/e/')], ['d d', 'd/e d opaque']],
  ['B7 a whiteout before its entry', [wh('.wh.a'), F('a', 'new')], ['a f new']],
  ['B7 a whiteout behind its entry', [F('a', 'new'), wh('.wh.a')], ['a f new']],
  ['B7 a whiteout behind a hard link', [F('f', '1'), H('a', 'f'), wh('.wh.a')], ['a f 1 ×2', 'f f 1 ×2']],
  ['B8 a whiteout in an opaque directory', [D('d'), opq('d/'), wh('d/.wh.x')], ['d d opaque', 'd/x whiteout']],
  ['B9 an entry below a whiteout', [wh('.wh.d'), F('d/x', '1')], ['d d opaque', 'd/x f 1']],
  ['B9 a whiteout behind the directory', [D('d'), F('d/x', '1'), wh('.wh.d')], ['d d opaque', 'd/x f 1']],
  ['B9 a whiteout and an empty directory', [wh('.wh.d'), D('d')], ['d d opaque']],
  ['B9 an entry further below a whiteout', [F('d/e/x', '1'), wh('.wh.d')], ['d d opaque', 'd/e d', 'd/e/x f 1']],
  ['B10 a whiteout of nothing', [wh('.wh.nothing')], ['nothing whiteout']],
  ['B11 a whiteout below what is not here', [wh('a/b/.wh.c')], ['a d', 'a/b d', 'a/b/c whiteout']],
  ['B12 a whiteout below a name of the lower layer', [wh('l/.wh.x')], ['l d', 'l/x whiteout']],
  ['C1 a character device 0:0 is a whiteout', [C('x', 0, 0)], ['x whiteout']],
  ['C1 a character device 0:0 and a whiteout of the name', [C('x', 0, 0), wh('.wh.x')], ['x whiteout']],
  ['C1 a character device 0:0 over an implied directory', [F('x/y', '1'), C('x', 0, 0)], ['x d opaque', 'x/y f 1']],
  ['C1 a block device 0:0 is one', [B('x', 0, 0)], ['x b 0:0']],
]

/** What comes twice: dockerd refuses it, and so do we. */
export const duplicateCases: readonly UnpackCase[] = [
  ['D30 two files', [F('a', '1'), F('a', '2')], 'TAR_INVALID'],
  ['D30 file, then directory', [F('a', '1'), D('a')], 'TAR_INVALID'],
  ['D30 directory, then file', [D('a'), F('a', '1')], 'TAR_INVALID'],
  ['D30 two directories', [D('a'), D('a/')], 'TAR_INVALID'],
  ['D30 two directories, the first one implied before', [F('a/x'), D('a'), D('./a')], 'TAR_INVALID'],
  ['D30 two roots', [D('.'), D('./')], 'TAR_INVALID'],
  ['D30 one name in two spellings', [F('b/y'), F('a', '1'), F('b/../a', '4')], 'TAR_INVALID'],
  ['D30 two symlinks', [S('sh', 'dash'), S('sh', 'bash')], 'TAR_INVALID'],
  ['D30 a hard link over its target', [F('h', '1'), H('h', 'h')], 'TAR_INVALID'],
  ['D30 two whiteouts', [wh('.wh.a'), wh('./.wh.a')], 'TAR_INVALID'],
  ['D30 two opaque marks', [opq('d/'), opq('d/')], 'TAR_INVALID'],
  ['D30 two opaque marks on the root', [opq(''), opq('./')], 'TAR_INVALID'],
  ['D30 two devices 0:0', [C('x', 0, 0), C('x', 0, 0)], 'TAR_INVALID'],
  ['D30 a device 0:0 and an entry', [C('x', 0, 0), F('x')], 'TAR_INVALID'],
  ['D30 an entry and a device 0:0', [F('x'), C('x', 0, 0)], 'TAR_INVALID'],
  ['D30 a device 0:0 and a directory that is implied', [C('x', 0, 0), F('x/y'), D('x')], 'TAR_INVALID'],
  ['D30 a file once more through a symlink', [S('l', 'd'), F('d/x', '1'), F('l/x', '2')], 'TAR_INVALID'],
  ['D30 a directory once more through a symlink', [S('l', 'd'), D('d/x'), D('l/x')], ['d d', 'd/x d', 'l l →d']],
  ['D30 the same, the symlink first', [S('l', 'd'), D('l/x'), D('d/x')], ['d d', 'd/x d', 'l l →d']],
  ['D30 a directory twice through a symlink', [S('l', 'd'), D('l/x'), D('l/x')], 'TAR_INVALID'],
  ['D30 a directory three times', [S('l', 'd'), D('l/x'), D('d/x'), D('d/x')], 'TAR_INVALID'],
  ['D30 a name of a global header', [globalPax({ comment: 'c' }), F('PaxHeaders.0/../PaxHeaders.0/x')], 'TAR_INVALID'],
  ['D31 a hard link before its target', [H('h', 'f'), F('f')], 'TAR_INVALID'],
  ['D31 a hard link to a directory', [D('d'), H('h', 'd')], 'TAR_INVALID'],
  ['D31 a hard link to the root', [H('h', '/')], 'TAR_INVALID'],
  ['D31 a hard link to itself', [H('h', 'h')], 'TAR_INVALID'],
  ['D31 a hard link to a whiteout', [wh('.wh.x'), H('h', 'x')], 'TAR_INVALID'],
  ['D31 a hard link to a file of a lower layer', [H('h', 'lower')], 'TAR_INVALID'],
]

export const acceptedCases: readonly UnpackCase[] = [
  [
    'T1 a symlink with more .. than it is deep',
    [S('etc/pki/cacerts', '../../../../../../etc/x'), F('etc/x', '1')],
    ['etc d', 'etc/pki d', 'etc/pki/cacerts l →../../../../../../etc/x', 'etc/x f 1'],
  ],
  [
    'T1 the same as a parent',
    [S('a/l', '../../../../b'), F('a/l/x', '1')],
    ['a d', 'a/l l →../../../../b', 'b d', 'b/x f 1'],
  ],
  ['T2 a symlink that another layer has, too', [S('bin/sh', 'bash')], ['bin d', 'bin/sh l →bash']],
  [
    'T3 dangling and absolute symlinks',
    [S('etc/mtab', '/proc/mounts'), S('run', '/nowhere')],
    ['etc d', 'etc/mtab l →/proc/mounts', 'run l →/nowhere'],
  ],
  [
    'T4 a real directory where the lower layer has a symlink',
    [F('lib/systemd/x', '1')],
    ['lib d', 'lib/systemd d', 'lib/systemd/x f 1'],
  ],
  [
    'T5 below an absolute symlink of this layer',
    [S('var/run', '/run'), F('var/run/a/b', '1')],
    ['run d', 'run/a d', 'run/a/b f 1', 'var d', 'var/run l →/run'],
  ],
  [
    'T6 a hard link with an absolute target',
    [F('usr/p', '1'), H('usr/q', '/usr/p')],
    ['usr d', 'usr/p f 1 ×2', 'usr/q f 1 ×2'],
  ],
  [
    'T7 a hard link through an absolute symlink',
    [D('run'), S('var/run', '/run'), F('var/run/source', '1'), H('var/run/link', 'var/run/source')],
    ['run d', 'run/link f 1 ×2', 'run/source f 1 ×2', 'var d', 'var/run l →/run'],
  ],
  [
    'T8 parents behind their children, and one that may not be written to before',
    [F('a/b/c', '1'), D('a/b', { mode: 0o555 }), D('a'), D('r', { mode: 0o555 }), F('r/x', '2')],
    ['a d', 'a/b d', 'a/b/c f 1', 'r d', 'r/x f 2'],
  ],
  ['T9 a global header with a comment', [globalPax({ comment: 'abc' }), F('a', '1')], ['a f 1']],
  [
    'T10 large owners, times before 1970, parts of seconds',
    [F('a', '1', { uid: 2_000_000, gid: 4_294_967_294, mtime: -2 }), F('b', '2', { mtime: 1.5 })],
    ['a f 1', 'b f 2'],
  ],
  ['T11 names of bytes', oddNames.map(name => F(latin1(name), '1')), [...oddNames].sort().map(name => `${name} f 1`)],
  ['T12 padding of any size', [F('a', '1'), Buffer.alloc(1024), Buffer.alloc(20_480 + 512)], ['a f 1']],
  ['T13 the empty layer', [], []],
  [
    'T14 devices and fifos',
    [C('dev/null', 1, 3), B('sda', 8, 0), P('x')],
    ['dev d', 'dev/null c 1:3', 'sda b 8:0', 'x p'],
  ],
  ['T19 nested whiteouts', [wh('.wh.foo'), wh('foo/.wh.bar')], ['foo whiteout']],
  ['T19 nested whiteouts, the other way round', [wh('foo/.wh.bar'), wh('.wh.foo')], ['foo whiteout']],
  ['T19 nested whiteouts two deep', [wh('foo/bar/.wh.x'), wh('.wh.foo')], ['foo whiteout']],
  ['T19 an opaque mark below a whiteout', [opq('foo/'), wh('.wh.foo')], ['foo whiteout']],
  [
    'T19 nested whiteouts and an entry',
    [wh('.wh.foo'), wh('foo/.wh.bar'), F('foo/new', '1')],
    ['foo d opaque', 'foo/bar whiteout', 'foo/new f 1'],
  ],
]

export const allCases = [...escapeCases, ...whiteoutCases, ...duplicateCases, ...acceptedCases]
