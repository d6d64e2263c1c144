/** A tar unpacked into a container: what it says is there, and nothing else, wherever its names lead. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ByteString } from '../../src/byte-string.js'
import { defaultLimits, type Limits } from '../../src/limits.js'
import { extractionPoint, extractTar } from '../../src/overlay/archive/extract-tar.js'
import { exportTar } from '../../src/overlay/difference/export-tar.js'
import { createContainerFace } from '../../src/overlay/face/container-face.js'
import { Union, type UnionOptions } from '../../src/overlay/union/union.js'
import { applyNaively, flatten, linkGroups } from '../build/commit-run.js'
import { directory, layersOf, symlink as linkTo } from '../build/memory-layer.js'
import { memoryUpper } from '../build/memory-upper.js'
import { char, dir, entry, fifo, file, globalPax, hardlink, longName, symlink, tar } from '../build/tar.js'
import { dumpUnion } from '../build/union-dump.js'
import { layerOf, rootOf, runAll, unionOf } from '../build/union-run.js'
import { sequence } from '../build/union-sequence.js'

const below = {
  etc: { passwd: 'root' },
  w: directory({
    f: 'in f',
    d: { g: 'in g' },
    lf: linkTo('f'),
    ld: linkTo('d'),
    abs: linkTo('/etc'),
    up: linkTo('../..'),
  }),
}

function boxOf(options: UnionOptions = {}) {
  const union = new Union(layersOf(below), { upper: memoryUpper(), label: 'box', ...options })
  return { union, box: createContainerFace(union) }
}

async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

interface Unpacking {
  readonly path?: string
  readonly limits?: Partial<Limits>
  readonly chunk?: number
}

function unpack(union: Union, bytes: Buffer, { path = '/w', limits = {}, chunk = 1 << 20 }: Unpacking = {}) {
  return extractTar(union, extractionPoint(union, path), chunksOf(bytes, chunk), { ...defaultLimits, ...limits })
}

test('30 random containers: their exports, unpacked into nothing, are they again; the cuts of the stream do not count', async t => {
  const first = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 30))
  t.diagnostic(`PHYLLO_SEED=${first}`)
  for (let seed = first; seed < first + 30; seed++) {
    const { layers, ops } = sequence(seed, 30, 3)
    const source = unionOf(layers.map(layerOf), memoryUpper(rootOf()), { directoryRename: 'copy' })
    runAll(source, ops)
    const pieces: Buffer[] = []
    for await (const piece of exportTar(source)) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    const wanted = applyNaively(new Map(), bytes)
    for (const chunk of [1 + (seed % 700), 1 << 20]) {
      const copy = unionOf([], memoryUpper(rootOf()))
      await unpack(copy, bytes, { path: '/', chunk })
      assert.deepEqual(
        flatten(dumpUnion(copy)),
        new Map([...wanted].sort(([a], [b]) => (a < b ? -1 : 1))),
        `seed ${seed}`,
      )
      const groups = (union: Union) => linkGroups(dumpUnion(union)).sort()
      const named = groups(source).filter(group => wanted.has(group.split(' ')[0]!))
      assert.deepEqual(groups(copy), named, `seed ${seed}`)
    }
  }
})

test('owners, modes, times to the nanosecond, xattrs; set-id bits survive the owner', async () => {
  const { union, box } = boxOf()
  const owner = { uid: 70_000, gid: 3, pax: { mtime: '981173106.123456789' } }
  const bytes = tar([
    dir('a/', { ...owner, mode: 0o3751 }),
    file('a/f', 'content', {
      ...owner,
      mode: 0o6755,
      xattrs: { 'user.k': 'v', 'trusted.overlay.opaque': 'y', 'system.x': '1' },
    }),
    symlink('a/s', '../f', { ...owner, xattrs: { 'user.refused': 'on a symlink' } }),
    fifo('a/p', { ...owner, mode: 0o644 }),
    char('a/c', 5, 1, { ...owner, mode: 0o600 }),
    file('a/old', '', { mtime: -5 }),
  ])
  await unpack(union, bytes)
  const shown = (path: string) => {
    const { mode, uid, gid, mtimeNs, atimeNs } = box.lstatSync(path, { bigint: true })
    assert.equal(atimeNs, mtimeNs)
    return [Number(mode & 0o7777n).toString(8), Number(uid), Number(gid), String(mtimeNs)]
  }
  const [uid, gid, time] = [70_000, 3, '981173106123456789']
  assert.deepEqual(shown('/w/a'), ['3751', uid, gid, time])
  assert.deepEqual(shown('/w/a/f'), ['6755', uid, gid, time])
  assert.deepEqual(shown('/w/a/s'), ['777', uid, gid, time])
  assert.deepEqual(shown('/w/a/p'), ['644', uid, gid, time])
  assert.deepEqual(shown('/w/a/c'), ['600', uid, gid, time])
  assert.equal(shown('/w/a/old')[3], '-5000000000')
  assert.deepEqual(box.listxattrSync('/w/a/f'), ['user.k'])
  assert.equal(box.readFileSync('/w/a/f', 'utf8'), 'content')
})

test('names of whiteouts are names', async () => {
  const { union, box } = boxOf()
  await unpack(union, tar([file('.wh.f', '1'), file('d/.wh..wh..opq', '')]))
  assert.deepEqual(box.readdirSync('/w').sort(), ['.wh.f', 'abs', 'd', 'f', 'ld', 'lf', 'up'])
  assert.deepEqual(box.readdirSync('/w/d'), ['.wh..wh..opq', 'g'])
})

test('symlinks on the way are followed inside of the container, from its root', async () => {
  const { union, box } = boxOf()
  await unpack(union, tar([file('abs/new', '1'), file('up/top', '2'), symlink('own', '/etc'), file('own/other', '3')]))
  assert.deepEqual(box.readdirSync('/etc').sort(), ['new', 'other', 'passwd'])
  assert.equal(box.readFileSync('/top', 'utf8'), '2')
})

test('parents that the tar does not name are made, of root and less the umask', async () => {
  const { union, box } = boxOf()
  await unpack(union, tar([file('x/y/z', '1', { uid: 5, gid: 6 })]))
  const { mode, uid, gid } = box.statSync('/w/x/y')
  assert.deepEqual([mode & 0o7777, uid, gid], [0o755, 0, 0])
})

test('the directory itself keeps its attributes; others that are there are merged and get the tar’s', async () => {
  const { union, box } = boxOf()
  const { mode } = box.statSync('/w')
  await unpack(union, tar([dir('./', { mode: 0o700 }), dir('./d', { mode: 0o711, mtime: 7 }), file('./d/more', '1')]))
  assert.equal(box.statSync('/w').mode, mode)
  assert.deepEqual([box.statSync('/w/d').mode & 0o7777, box.statSync('/w/d').mtimeMs], [0o711, 7000])
  assert.deepEqual(box.readdirSync('/w/d'), ['g', 'more'])
})

/** What is refused, by which code, and what the message says. */
const refused: readonly (readonly [name: string, entries: readonly Buffer[], code: string, about?: RegExp])[] = [
  ['climbs out', [file('../evil', '1')], 'PATH_ESCAPE', /^\.\.\/evil \(tar header at offset 0\): /],
  ['climbs out in the middle', [file('a/../../evil', '1')], 'PATH_ESCAPE'],
  ['climbs out of the root', [file('/../evil', '1')], 'PATH_ESCAPE'],
  ['a hard link climbs out', [hardlink('h', '../etc/passwd')], 'PATH_ESCAPE'],
  ['a hard link to nothing', [hardlink('h', 'nope')], 'ENOENT', /'\/w\/nope' -> '\/w\/h'/],
  ['a hard link to itself', [hardlink('f', 'f')], 'ENOENT'],
  ['a hard link to a directory', [hardlink('h', 'd')], 'EPERM'],
  ['the device that is a whiteout', [char('c', 0, 0)], 'EPERM'],
  ['a file in the place of a directory', [file('d', '1')], 'EISDIR', /'\/w\/d'/],
  ['a file in the place of the directory itself', [file('.', '1')], 'EISDIR', /'\/w'/],
  ['a directory in the place of a file', [dir('f/')], 'ENOTDIR', /'\/w\/f'/],
  ['a directory in the place of a symlink to one', [dir('ld/')], 'ENOTDIR'],
  ['a file below a file', [file('f/x', '1')], 'ENOTDIR'],
  ['a link to itself on the way', [symlink('loop', 'loop'), file('loop/x', '1')], 'ELOOP'],
  ['two names for one entry', [longName('a'), longName('b'), file('c', '1')], 'TAR_INVALID'],
  ['a sparse file', [entry('S', 'sparse')], 'ENTRY_UNSUPPORTED'],
  ['an owner that cannot be', [file('o', '1', { uid: 2 ** 32 - 1 })], 'METADATA_INVALID'],
]

for (const [name, entries, code, about = /./] of refused)
  test(`refused: ${name}`, async () => {
    const { union, box } = boxOf()
    await assert.rejects(unpack(union, tar([file('before', '1'), ...entries, file('after', '1')])), (error: Error) => {
      assert.equal((error as NodeJS.ErrnoException).code, code, error.message)
      return true
    })
    await assert.rejects(unpack(union, tar(entries)), { message: about })
    assert.deepEqual([box.existsSync('/w/before'), box.existsSync('/w/after')], [true, false])
    assert.deepEqual([box.readdirSync('/').sort(), box.readdirSync('/etc')], [['etc', 'w'], ['passwd']])
  })

test('limits hold: entries, names, bytes of one file, meta headers', async () => {
  const { union } = boxOf()
  const many = tar([file('a', ''), file('b', ''), file('c', '')])
  await assert.rejects(unpack(union, many, { limits: { layerEntries: 2 } }), {
    code: 'LIMIT_EXCEEDED',
    limit: 'layerEntries',
  })
  const deep = tar([file(`${'d/'.repeat(40)}f`, '')])
  await assert.rejects(unpack(union, deep, { limits: { pathDepth: 30 } }), { limit: 'pathDepth' })
  const large = tar([file('f', 'x'.repeat(100))])
  await assert.rejects(unpack(union, large, { limits: { layerBytes: 99 } }), { limit: 'layerBytes' })
  const meta = tar([longName('n'.repeat(200)), file('n', '')])
  await assert.rejects(unpack(union, meta, { limits: { tarMetaBytes: 100 } }), { limit: 'tarMetaBytes' })
})

test('bounds of the container hold: bytes and entries; the error names the file', async () => {
  const small = boxOf({ maxBytes: 10 })
  await assert.rejects(unpack(small.union, tar([file('ok', '12345'), file('over', '123456')])), {
    code: 'EDQUOT',
    message: /write '\/w\/over'/,
  })
  assert.equal(small.box.readFileSync('/w/ok', 'utf8'), '12345')
  const few = boxOf({ maxEntries: 3 })
  await assert.rejects(unpack(few.union, tar([file('a', ''), file('b', ''), file('c', '')])), { code: 'EDQUOT' })
})

test('a tar that ends early is refused; what was whole before is there', async () => {
  const { union, box } = boxOf()
  const bytes = tar([file('whole', 'x'.repeat(600)), file('half', 'y'.repeat(2000))])
  await assert.rejects(unpack(union, bytes.subarray(0, 2560)), { code: 'TAR_INVALID', message: /truncated/ })
  assert.equal(box.statSync('/w/whole').size, 600)
  // Nothing of it stays open.
  assert.equal(union.handles.add({ dentry: union.tree.root, path: '/', flags: 0, position: 0 }), 2 ** 30)
})

test('a large file, global headers, and nothing at all', async () => {
  const { union, box } = boxOf()
  const content = Buffer.alloc(3_000_001, 'abc')
  await unpack(union, tar([globalPax({ comment: 'x' }), file('large', content)]), { chunk: 7_777_777 })
  assert.ok(box.readFileSync('/w/large').equals(content))
  await unpack(union, tar([]))
  await unpack(union, Buffer.alloc(0))
})

test('where it goes must be a directory that is there, in a container that can be changed', () => {
  const { union } = boxOf()
  const refusal = (path: string) => {
    try {
      return union.tree.pathOf(extractionPoint(union, path)) as ByteString
    } catch (error) {
      return (error as NodeJS.ErrnoException).message
    }
  }
  assert.equal(refusal('/w/ld/'), '/w/d')
  assert.equal(refusal('/w/nope'), "ENOENT: no such file or directory, putArchive '/w/nope'")
  assert.equal(refusal('/w/f'), "ENOTDIR: not a directory, putArchive '/w/f'")
  const { union: fixed } = boxOf({ readOnly: true })
  assert.throws(() => extractionPoint(fixed, '/w'), { code: 'EROFS', syscall: 'putArchive' })
})

test('closing the container ends it', async () => {
  const { union } = boxOf()
  async function* input() {
    yield tar([file('a', '1')]).subarray(0, 512)
    void union.close()
    yield tar([file('a', '1')]).subarray(512)
  }
  await assert.rejects(extractTar(union, extractionPoint(union, '/w'), input(), defaultLimits), {
    code: 'STORE_CLOSED',
  })
})
