/** Path walking as the kernel does it: facts 1.1 (R-LK-8, R-LK-9) and the trailing slash rules of 1.16. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { byteString, fromText, toText } from '../../src/byte-string.js'
import { DentryTree } from '../../src/overlay/union/dentry.js'
import { lowersOf } from '../../src/overlay/union/lookup.js'
import { locate, resolve } from '../../src/overlay/union/resolve.js'
import { type Children, layersOf, symlink } from '../build/memory-layer.js'

function treeOf(...roots: Children[]): DentryTree {
  return new DentryTree(lowersOf(layersOf(...roots)))
}

/** Where a path leads: an absolute path, or the code. */
function where(tree: DentryTree, path: string, follow = true): string {
  const found = resolve(tree, tree.root, fromText(path), follow)
  return typeof found === 'string' ? found : toText(tree.pathOf(found))
}

const tree = treeOf({
  file: 'x',
  dir: { sub: { leaf: '' }, up: symlink('..'), self: symlink('.') },
  abs: symlink('/dir/sub'),
  rel: symlink('dir/sub'),
  escape: symlink('../../../../dir'),
  dangling: symlink('nowhere'),
  toFile: symlink('file'),
  slashed: symlink('dir/'),
  slashedFile: symlink('file/'),
  loop: symlink('loop'),
  a: symlink('b'),
  b: symlink('a'),
})

test('dots, double slashes and `..` of the root', () => {
  for (const path of [
    '/dir/sub',
    'dir/sub',
    '//dir///sub',
    '/dir/./sub/.',
    '/dir/sub/../sub',
    '/../../dir/sub',
    'dir/sub/',
  ]) {
    assert.equal(where(tree, path), '/dir/sub', path)
  }
  assert.equal(where(tree, '/'), '/')
  assert.equal(where(tree, '/..'), '/')
  assert.equal(where(tree, ''), 'ENOENT')
})

test('symlinks stay inside, relative ones begin at the link, and the last is followed only when asked', () => {
  assert.equal(where(tree, '/abs/leaf'), '/dir/sub/leaf')
  assert.equal(where(tree, '/rel'), '/dir/sub')
  assert.equal(where(tree, '/rel', false), '/rel')
  assert.equal(where(tree, '/escape/sub'), '/dir/sub')
  assert.equal(where(tree, '/dir/up/dir/self/sub'), '/dir/sub')
  assert.equal(where(tree, '/abs/..'), '/dir')
  assert.equal(where(tree, '/dangling'), 'ENOENT')
})

test('trailing slashes', () => {
  assert.equal(where(tree, '/file/'), 'ENOTDIR')
  assert.equal(where(tree, '/file/.'), 'ENOTDIR')
  assert.equal(where(tree, '/file/..'), 'ENOTDIR')
  assert.equal(where(tree, '/rel/', false), '/dir/sub')
  assert.equal(where(tree, '/toFile/', false), 'ENOTDIR')
  assert.equal(where(tree, '/dangling/', false), 'ENOENT')
  assert.equal(where(tree, '/slashed'), '/dir')
  assert.equal(where(tree, '/slashedFile'), 'ENOTDIR')
})

test('40 links are followed, the 41st is ELOOP', () => {
  assert.equal(where(tree, '/loop'), 'ELOOP')
  assert.equal(where(tree, '/a/x'), 'ELOOP')
  assert.equal(where(tree, '/loop', false), '/loop')
  const chain: Record<string, string | ReturnType<typeof symlink>> = { l0: 'end' }
  for (let n = 1; n <= 41; n++) chain[`l${n}`] = symlink(`l${n - 1}`)
  assert.equal(where(treeOf(chain), 'l40'), '/l0')
  assert.equal(where(treeOf(chain), 'l41'), 'ELOOP')
})

test('lengths are counted in bytes: 255 a name, 4095 a path', () => {
  const long = 'n'.repeat(255)
  const tree = treeOf({ [long]: 'x', ['é'.repeat(127)]: 'y', file: '' })
  assert.equal(where(tree, long), `/${long}`)
  assert.equal(where(tree, `${long}n`), 'ENAMETOOLONG')
  assert.equal(where(tree, 'é'.repeat(127)), `/${'é'.repeat(127)}`)
  assert.equal(where(tree, 'é'.repeat(128)), 'ENAMETOOLONG')
  assert.equal(where(tree, `missing/${long}n`), 'ENOENT')
  assert.equal(where(tree, `file/${long}n`), 'ENOTDIR')
  assert.equal(where(tree, `${'/'.repeat(4091)}file`), '/file')
  assert.equal(where(tree, `${'/'.repeat(4092)}file`), 'ENAMETOOLONG')
})

test('C16: targets are used as they are, whatever they are', () => {
  const target = byteString(Buffer.from([0x66, 0xff]))
  const tree = treeOf({ empty: symlink(''), long: symlink('a'.repeat(4096)), windows: symlink('C:..\\x') })
  assert.equal(where(tree, 'empty'), 'ENOENT')
  assert.equal(where(tree, 'long'), 'ENAMETOOLONG')
  assert.equal(where(tree, 'windows'), 'ENOENT')
  const bytes = treeOf({ d: new Map([[target, 'content']]) })
  const found = resolve(bytes, bytes.root, `d/${target}` as typeof target, true)
  assert.equal(typeof found, 'object')
})

test('the place of a last component', () => {
  const at = (path: string) => {
    const place = locate(tree, tree.root, fromText(path))
    return typeof place === 'string'
      ? place
      : [toText(tree.pathOf(place.directory)), place.last, place.name, place.trailingSlash]
  }
  assert.deepEqual(at('/abs/new'), ['/dir/sub', 'name', 'new', false])
  assert.deepEqual(at('/abs/new//'), ['/dir/sub', 'name', 'new', true])
  assert.deepEqual(at('/dir/..'), ['/dir', 'dotdot', '', false])
  assert.deepEqual(at('/dir/.'), ['/dir', 'dot', '', false])
  assert.deepEqual(at('//'), ['/', 'root', '', false])
  assert.equal(at('/missing/new'), 'ENOENT')
  assert.equal(at('/file/new'), 'ENOTDIR')
})
