/** What a layer becomes on the disk, on a disk in memory that forgives nothing: every row of threats A to C, and their twins. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PhylloError } from '../../src/errors.js'
import { char as C, dir as D, file as F, globalPax, hardlink as H, fifo as P, symlink as S, tar } from '../build/tar.js'
import { allCases } from '../build/unpack-cases.js'
import { type Unpacked, type UnpackOptions, unpackToMemory } from '../build/unpacked.js'

for (const [name, archive, expected] of allCases)
  test(name, async () => {
    if (typeof expected === 'string') await refused(tar(archive), expected)
    else assert.deepEqual((await unpackToMemory(tar(archive))).files.lines(), expected)
  })

async function refused(archive: Uint8Array, code: string, options?: UnpackOptions): Promise<PhylloError> {
  const error = await unpackToMemory(archive, options).then(
    () => assert.fail('accepted'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof PhylloError, `${error}`)
  assert.equal(error.code, code, error.message)
  assert.ok(error.message.startsWith('test.tar: '), error.message)
  return error
}

/** Mode, owner and time of a path. */
function attributes({ files }: Unpacked, path: string) {
  const { mode, uid, gid, mtime } = files.follow(path)!
  return [mode.toString(8), uid, gid, mtime]
}

const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')

test('files get their mode, owner, time and xattrs, and those of a new owner keep set-id bits and capabilities', async () => {
  const xattrs = { 'security.capability': capability, 'user.a': 'b' }
  const layer = await unpackToMemory(
    tar([
      F('ping', 'x', { mode: 0o4755, uid: 7, gid: 8, mtime: 12, xattrs }),
      F('empty', '', { mode: 0, mtime: 3 }),
      F('part', 'y', { mtime: 1.25 }),
      F('old', 'z', { mtime: -5 }),
    ]),
  )
  assert.deepEqual(attributes(layer, 'ping'), ['4755', 7, 8, '12'])
  assert.deepEqual(attributes(layer, 'empty'), ['0', 0, 0, '3'])
  assert.equal(attributes(layer, 'part')[3], '1.250000000')
  assert.equal(attributes(layer, 'old')[3], '-5')
  assert.deepEqual(
    [...layer.files.follow('ping')!.xattrs],
    [
      ['security.capability', capability.toString('latin1')],
      ['user.a', 'b'],
    ],
  )
})

test('C13 times before ext4 has any become its earliest', async () => {
  const layer = await unpackToMemory(tar([F('a', '', { mtime: -(2 ** 32) }), D('d', { mtime: -(2 ** 33) })]))
  assert.deepEqual([attributes(layer, 'a')[3], attributes(layer, 'd')[3]], ['-2147483648', '-2147483648'])
})

test('T8 implied directories are 0755 of root and of 1970, and entries of theirs may come late', async () => {
  const layer = await unpackToMemory(tar([F('a/b/c', '', { mtime: 5 }), D('a', { mode: 0o1555, uid: 7, mtime: 9 })]))
  assert.deepEqual(attributes(layer, 'a'), ['1555', 7, 0, '9'])
  assert.deepEqual(attributes(layer, 'a/b'), ['755', 0, 0, '0'])
  assert.deepEqual(attributes(layer, ''), ['755', 0, 0, '0'])
})

test('D30 a directory that is an entry twice has what the last one says', async () => {
  const layer = await unpackToMemory(tar([S('l', 'd'), D('d/x', { mode: 0o700, uid: 1 }), D('l/x', { mode: 0o711 })]))
  assert.deepEqual(attributes(layer, 'd/x'), ['711', 0, 0, '0'])
})

test('D31 the header of a hard link speaks of the shared inode', async () => {
  const xattrs = { 'security.capability': capability }
  const layer = await unpackToMemory(
    tar([
      F('f', 'abc', { mode: 0o4755, uid: 1, mtime: 10, xattrs }),
      H('h', 'f', { mode: 0o4711, uid: 2, gid: 3, mtime: 20 }),
    ]),
  )
  assert.deepEqual(attributes(layer, 'f'), ['4711', 2, 3, '20'])
  assert.equal(layer.files.follow('f')!.xattrs.get('security.capability'), capability.toString('latin1'))
  assert.equal(layer.sizeBytes, 3)
})

test('A12 the header of a hard link does not set the mode of a symlink, and does set its owner and time', async () => {
  const { files } = await unpackToMemory(tar([S('p', '/x'), H('q', 'p', { mode: 0o4755, uid: 5, mtime: 6 })]))
  const [{ mode, uid, mtime } = assert.fail()] = [...files.top.children.values()][0]!.children.values()
  assert.deepEqual([mode, uid, mtime], [0o777, 5, '6'])
})

test('a hard link with the metadata of its target costs no further call', async () => {
  const { files } = await unpackToMemory(tar([F('f', 'abc', { mtime: 4 }), H('g', 'f', { mtime: 4 })]))
  assert.deepEqual(
    ['link', 'fchmod', 'chmod', 'utimes', 'lsetxattr'].map(call => files.counts.get(call) ?? 0),
    // chmod and utimes: the root's.
    [1, 1, 2, 1, 0],
  )
})

test('small files cost one open, one write, and what their metadata needs', async () => {
  const [uid, gid] = [process.geteuid!(), process.getegid!()]
  const entries = Array.from({ length: 100 }, (_, i) => F(`d/${i}`, `${i}`, { uid, gid, mtime: 7 }))
  const { files } = await unpackToMemory(tar(entries), { chunks: [1 << 20] })
  assert.deepEqual(
    ['open', 'write', 'fchown', 'lchown', 'fchmod', 'futimes', 'close', 'mkdir'].map(
      call => files.counts.get(call) ?? 0,
    ),
    [100, 100, 0, uid === 0 ? 1 : 3, 100, 100, 100, 2],
  )
})

test('whiteouts have the owner of their entry and no mode', async () => {
  const layer = await unpackToMemory(
    tar([F('d/.wh.x', 'body', { mode: 0o755, uid: 4, gid: 5 }), C('y', 0, 0, { mode: 0o666, uid: 6 })]),
  )
  assert.deepEqual(attributes(layer, 'd/x').slice(0, 3), ['0', 4, 5])
  assert.deepEqual(attributes(layer, 'y').slice(0, 3), ['0', 6, 0])
})

test('T14 devices, fifos and symlinks get their attributes', async () => {
  const layer = await unpackToMemory(
    tar([C('c', 4095, 1048575, { mode: 0o640, uid: 1, mtime: 2 }), P('p', { mode: 0o600, gid: 3, mtime: 4 })]),
  )
  assert.deepEqual(attributes(layer, 'c'), ['640', 1, 0, '2'])
  assert.deepEqual(attributes(layer, 'p'), ['600', 0, 3, '4'])
  assert.deepEqual(layer.files.lines(), ['c c 4095:1048575', 'p p'])
})

test('C2 to C6 xattrs that speak to the kernel or of another machine are not set, others are', async () => {
  const kept = { 'security.capability': 'c', 'user.overlayed': 'u', 'trusted.x': 't' }
  const dropped = {
    'trusted.overlay.opaque': 'y',
    'trusted.overlay.overlay.opaque': 'y',
    'user.overlay.redirect': '/hidden',
    'security.selinux': 'label',
    'security.ima': 'hash',
    'system.posix_acl_access': 'acl',
    'system.nfs4_acl': 'acl',
    unknown: '1',
  }
  const { files, warnings } = await unpackToMemory(
    tar([
      D('d', { xattrs: { ...dropped, ...kept } }),
      F('f', '1', { xattrs: { ...dropped, ...kept } }),
      S('l', 't', { xattrs: kept }),
    ]),
  )
  for (const path of ['d', 'f']) assert.deepEqual(Object.fromEntries(files.follow(path)!.xattrs), kept)
  const symlink = [...files.top.children.values()][0]!.children.get('l')!
  assert.deepEqual(Object.fromEntries(symlink.xattrs), { 'trusted.x': 't' })
  assert.deepEqual(files.lines(), ['d d', 'f f 1', 'l l →t'])
  assert.ok(warnings.includes('"f": the xattr "security.selinux" stays in the tar and is not set'), warnings.join('\n'))
  assert.ok(warnings.includes('"l": the xattr "user.overlayed" stays in the tar and is not set'))
  assert.equal(warnings.filter(text => text.includes('overlay file system')).length, 2)
})

test("Docker's layer size: contents once per inode, lengths of symlink targets, nothing else", async () => {
  const archive = tar([F('a', 'abc'), H('b', 'a'), S('s', 'target'), F('.wh.x', 'body'), D('d'), C('c', 1, 3), F('e')])
  assert.equal((await unpackToMemory(archive)).sizeBytes, 9)
})

test('facts 6.7b: size 7 for the archive of the test vector', async () => {
  const archive = tar([D('d'), F('d/f', 'hello\n'), S('d/s', 'f'), H('d/h', 'd/f'), F('d/.wh.x')])
  const { sizeBytes, split } = await unpackToMemory(archive)
  assert.equal(sizeBytes, 7)
  assert.deepEqual(
    split.entries.map(({ name, payloadBytes, at, content }) => [name, payloadBytes, at, content]),
    [
      ['d', 0, 512, ''],
      ['d/f', 6, 1024, 'hello\n'],
      ['d/s', 0, 2048, ''],
      ['d/h', 0, 2560, ''],
      ['d/.wh.x', 0, 3072, ''],
    ],
  )
})

test('tar-split is told as raw bytes what the name does not lead to: whiteouts with a body, and ways that leave on a host', async () => {
  const archive = [
    ...[S('abs', '/d'), S('up', '../../d'), S('rel', 'd')],
    ...[F('abs/a', '1'), F('up/b', '2'), F('rel/c', '3'), F('.wh.x', 'body'), F('/d/e', '5'), F('d/../d/f', '6')],
  ]
  const { split, files } = await unpackToMemory(tar(archive))
  assert.equal(split.tar, tar(archive).toString('latin1'))
  assert.deepEqual(
    split.entries.filter(({ payloadBytes }) => payloadBytes > 0).map(({ name, content }) => [name, content]),
    [
      ['rel/c', '3'],
      ['/d/e', '5'],
      ['d/../d/f', '6'],
    ],
  )
  assert.deepEqual(files.lines().slice(0, 6), ['abs l →/d', 'd d', 'd/a f 1', 'd/b f 2', 'd/c f 3', 'd/e f 5'])
})

test('a global header is an entry of tar-split, behind its body; a second one is not', async () => {
  const archive = tar([globalPax({ comment: 'one' }), F('a', '1'), globalPax({ comment: 'two' }), F('b', '2')])
  for (const chunks of [[1 << 20], [1], [512], [700, 3]]) {
    const { split } = await unpackToMemory(archive, { chunks })
    assert.deepEqual(
      split.entries.map(({ name, at }) => [name, at]),
      [
        ['PaxHeaders.0/x', 512 + '15 comment=one\n'.length],
        ['a', 1536],
        ['b', 3584],
      ],
    )
    assert.equal(split.tar, archive.toString('latin1'))
  }
})

test('C14 names of one inode are bounded, by us and by the file system', async () => {
  const links = (count: number) => tar([F('f'), ...Array.from({ length: count - 1 }, (_, i) => H(`h${i}`, 'f'))])
  await refused(links(8), 'LIMIT_EXCEEDED', { limits: { hardLinks: 7 } })
  await unpackToMemory(links(7), { limits: { hardLinks: 7 } })
  const error = await refused(links(8), 'LIMIT_EXCEEDED', { fail: call => (call === 'link' ? 'EMLINK' : undefined) })
  assert.equal(error.limit, 'hardLinks')
})

test('A22 a path that fits into the stage and not where the layer will stand is refused', async () => {
  const name = `${'d/'.repeat(100)}x`
  await unpackToMemory(tar([F(name)]), { rootBytes: 4095 - name.length - 1 })
  const error = await refused(tar([F(name)]), 'LIMIT_EXCEEDED', { rootBytes: 4095 - name.length })
  assert.equal(error.limit, 'pathBytes')
  await refused(tar([F(`${`${'n'.repeat(200)}/`.repeat(20)}${'x'.repeat(70)}`)]), 'LIMIT_EXCEEDED')
})

const oneFile = tar([F('a/b', 'content', { mtime: 1.5, uid: 77, xattrs: { 'user.x': 'y' } })])
for (const call of ['mkdir', 'dropAcls', 'open', 'write', 'fchown', 'fchmod', 'utimes', 'chmod', 'lsetxattr'])
  test(`a disk that fails at ${call} is STORE_IO with operation and path, and leaves nothing open`, async () => {
    const error = await refused(oneFile, 'STORE_IO', { fail: made => (made === call ? 'EIO' : undefined) })
    assert.equal(error.operation, call)
    assert.match(String(error.path), /^\/stage\/layer\/diff/)
    assert.equal(error.errno, 'EIO')
  })

test('an xattr that the kernel does not take is the fault of the layer, not of the disk', async () => {
  const error = await refused(oneFile, 'METADATA_INVALID', {
    fail: call => (call === 'lsetxattr' ? 'EINVAL' : undefined),
  })
  assert.match(error.message, /an xattr that the file system does not take \(EINVAL\)/)
})

test('what is wrong is said of the entry that it is wrong with', async () => {
  const error = await refused(tar([F('good', 'x'.repeat(700)), F('../bad')]), 'PATH_ESCAPE')
  assert.equal(error.entry, '../bad')
  assert.match(error.message, /\.\.\/bad/)
})

test('a truncated layer, and one behind whose end there is something', async () => {
  const whole = tar([F('a', 'x'.repeat(1000))])
  for (const bytes of [100, 600, 1500]) await refused(whole.subarray(0, bytes), 'TAR_INVALID')
  await refused(Buffer.concat([whole, Buffer.from('x')]), 'TAR_INVALID')
})

test('layers are bounded', async () => {
  await refused(tar([F('a', 'x'.repeat(1000))]), 'LIMIT_EXCEEDED', { limits: { layerBytes: 2000 } })
  await refused(tar([F('a'), F('b')]), 'LIMIT_EXCEEDED', { limits: { layerEntries: 1 } })
})
