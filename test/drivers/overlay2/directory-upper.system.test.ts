/** The upper of real directories: what it leaves on the disk, what it reads, what it refuses. Needs root. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ByteString } from '../../../src/byte-string.js'
import {
  lookAtDirectoryUpper,
  makeDirectoryUpper,
  openDirectoryUpper,
} from '../../../src/drivers/overlay2/directory-upper.js'
import { createContainerFace } from '../../../src/overlay/face/container-face.js'
import { lowersBelow } from '../../../src/overlay/union/lowers.js'
import { setXattr } from '../../../src/overlay/union/syscalls-attributes.js'
import { DirectoryContainer } from '../../build/directory-container.js'
import { directoryUpper } from '../../build/directory-upper.js'
import { inDirectory } from '../../build/in-directory.js'
import { plainRoot } from '../../build/memory-upper.js'
import { Kernel } from '../../build/overlay-kernel.js'
import { systemCalls } from '../../build/real-tree.js'
import { dir, file, gone } from '../../build/tree-literals.js'
import { comparable, dumpRoot } from '../../build/union-dump.js'
import { outcomeOf, unionOf } from '../../build/union-run.js'
import type { Op, TreeNodes } from '../../build/union-sequence.js'

const calls = await systemCalls()
const opaque = 'trusted.overlay.opaque' as ByteString
const nothing = lowersBelow([])

const layer: TreeNodes = {
  d: dir({
    f: file('f', { mtime: 1_000_000_000_500_000_000 }),
    s: dir({ g: file('g'), h: { t: 'f', link: 'd/s/g' } }),
  }),
  x: file('x', { mode: 0o4755, xattrs: { 'user.k': 'v' } }),
}

type Work = (box: DirectoryContainer, run: (...op: Op) => void) => Promise<void>

function inContainer(layers: readonly TreeNodes[], directoryRename: 'copy' | 'exdev', work: Work): () => Promise<void> {
  return inDirectory(async directory => {
    await using box = await DirectoryContainer.make(join(directory, 'box'), calls, layers, { directoryRename })
    await work(box, (...op) => assert.equal(outcomeOf(box.union, op), null))
  })
}

const has = (path: string) => fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined

test(
  'P-70: what a kernel or a dockerd noted is read; redirect, metacopy and xattr whiteouts are refused, with the name',
  inContainer([layer], 'exdev', async (box, run) => {
    run('chmod', '/d', 0o700)
    run('chmod', '/x', 0o600)
    const [d, x] = ['d', 'x'].map(name => join(box.at, 'diff', name)) as [string, string]
    for (const note of ['impure', 'origin', 'nlink', 'uuid'])
      calls.lsetxattr(d, `trusted.overlay.${note}` as ByteString, Buffer.from('y'))
    const before = dumpRoot(box.union)
    await box.reopen()
    assert.deepEqual(dumpRoot(box.union), before)
    for (const [path, note, entry] of [
      [d, 'redirect', '/d'],
      [x, 'metacopy', '/x'],
      [x, 'whiteout', '/x'],
    ] as const) {
      const xattr = `trusted.overlay.${note}` as ByteString
      calls.lsetxattr(path, xattr, Buffer.alloc(0))
      const options = { calls, lowers: lowersBelow(box.layers) }
      for (const open of [openDirectoryUpper, lookAtDirectoryUpper])
        await assert.rejects(open(box.at, options), { code: 'ENTRY_UNSUPPORTED', entry, xattr })
      calls.lremovexattr(path, xattr)
    }
  }),
)

test('P-70: an upper that a mount with redirect_dir=on or metacopy=on wrote is refused', async () => {
  await using kernel = new Kernel()
  const cases: readonly (readonly [string, Op, string])[] = [
    [',redirect_dir=on', ['rename', '/d', '/e', ''], 'trusted.overlay.redirect'],
    [',metacopy=on', ['chmod', '/x', 0o600], 'trusted.overlay.metacopy'],
  ]
  for (const [mount, op, xattr] of cases) {
    await using box = await DirectoryContainer.make(join(kernel.scratch, 'box'), calls, [layer])
    await box.upper.close()
    await kernel.run({ at: box.at, lowers: 1, ops: [op], looks: [], mount })
    await assert.rejects(box.open(), { code: 'ENTRY_UNSUPPORTED', xattr })
  }
})

test(
  'copied up is the content, too; with O_TRUNC it is not; nothing but opaque is noted',
  inContainer([layer], 'exdev', async (box, run) => {
    run('chmod', '/d/f', 0o600)
    run('open', '/x', 'w+t', 0, '')
    const [f, x] = ['diff/d/f', 'diff/x'].map(path => fs.statSync(join(box.at, path), { bigint: true }))
    assert.deepEqual([f!.size, f!.mtimeNs, x!.size], [1n, 1_000_000_000_500_000_000n, 0n])
    assert.equal(box.upper.usedBytes, 1)
    run('unlink', '/d/f')
    run('unlink', '/d/s/g')
    run('unlink', '/d/s/h')
    run('rmdir', '/d/s')
    run('mkdir', '/d/s', 0o755)
    run('mkdir', '/d/new', 0o755)
    const diff = join(box.at, 'diff')
    assert.deepEqual(
      ['', 'd', 'd/s', 'd/new'].map(path => calls.lgetxattr(join(diff, path), opaque)?.toString()),
      [undefined, undefined, 'y', undefined],
    )
    const { mode, rdev } = fs.statSync(join(diff, 'd/f'))
    assert.deepEqual([mode, rdev], [0o020000, 0])
  }),
)

test(
  'a directory of a layer with another name is a whole copy: names of one file stay so, no whiteout is left in it',
  inContainer([layer, { d: dir({ s: dir({}) }) }], 'copy', async (box, run) => {
    run('unlink', '/d/f')
    run('rename', '/d', '/e', '')
    const diff = join(box.at, 'diff')
    assert.deepEqual(fs.readdirSync(join(diff, 'e')), ['s'])
    const [g, h] = ['g', 'h'].map(name => fs.statSync(join(diff, 'e/s', name)))
    assert.deepEqual([g!.ino, g!.nlink], [h!.ino, 2])
    assert.equal(fs.statSync(join(diff, 'd')).rdev, 0)
    run('rename', '/e', '/d', '')
    assert.equal(calls.lgetxattr(join(diff, 'd'), opaque)?.toString(), 'y')
    assert.ok(!has(join(diff, 'e')))
    run('chmod', '/d/s/g', 0o640)
    run('unlink', '/d/s/h')
    assert.deepEqual(fs.readdirSync(join(diff, 'd/s')), ['g'])
  }),
)

test(
  'who has a file open goes on, whatever happens to its name and to the directory it was in',
  inContainer([layer], 'copy', async box => {
    const face = createContainerFace(box.union)
    const [own, lower, tree] = [face.openSync('/d/own', 'w+'), face.openSync('/x', 'r+'), face.openSync('/d/s/g', 'r+')]
    face.unlinkSync('/d/own')
    face.unlinkSync('/x')
    face.rmSync('/d', { recursive: true })
    for (const [fd, text] of [
      [own, 'own'],
      [lower, 'lower'],
      [tree, 'tree'],
    ] as const) {
      face.writeSync(fd, text, 0)
      assert.equal(face.readFileSync(fd, 'latin1').slice(0, 0), '')
      const bytes = Buffer.alloc(text.length)
      face.readSync(fd, bytes, 0, text.length, 0)
      assert.equal(bytes.toString(), text)
    }
    assert.deepEqual(fs.readdirSync(join(box.at, 'diff')).sort(), ['d', 'x'])
    for (const fd of [own, lower, tree]) face.closeSync(fd)
    const left = fs.readdirSync(join(box.at, 'work/phyllo'))
    assert.deepEqual(
      left.filter(name => name !== 'whiteout'),
      [],
    )
  }),
)

test(
  'xattrs: capabilities outlive writes and changes of the owner, as the tree says; those called like notes are escaped',
  inContainer([layer], 'exdev', async (box, run) => {
    run('open', '/n', 'w+c', 0o755, 'n')
    const value = Buffer.from('\x01\0\0\x02\0 \0\0\0\0\0\0\0\0\0\0\0\0\0\0', 'latin1')
    const set = (path: string, name: string) => {
      const dentry = box.union.at({ text: path, bytes: path as ByteString, exact: true }, true, 'setxattr')
      assert.equal(setXattr(box.union, dentry, { name: name as ByteString, value }, undefined), undefined)
    }
    set('/n', 'security.capability')
    set('/n', 'trusted.overlay.opaque')
    run('open', '/n', 'w', 0, 'mm')
    const n = join(box.at, 'diff/n')
    assert.equal(calls.lgetxattr(n, 'security.capability' as ByteString)?.length, 20)
    assert.deepEqual(calls.lgetxattr(n, 'trusted.overlay.overlay.opaque' as ByteString), value)
    assert.equal(calls.lgetxattr(n, opaque), undefined)
    const before = dumpRoot(box.union)
    await box.reopen()
    assert.deepEqual(dumpRoot(box.union), before)
    run('removexattr', '/x', 'user.k')
    assert.deepEqual(calls.llistxattr(join(box.at, 'diff/x')), [])
  }),
)

test(
  'looking writes nothing, changes nothing, and says so when what it saw is gone',
  inContainer([layer], 'exdev', async (box, run) => {
    run('open', '/n', 'w+c', 0o644, 'seen')
    const list = () => fs.readdirSync(join(box.at, 'work'), { recursive: true }).sort()
    const work = list()
    const look = await lookAtDirectoryUpper(box.at, { calls, lowers: lowersBelow(box.layers) })
    const union = unionOf(box.layers, look, { readOnly: true })
    assert.deepEqual(comparable(dumpRoot(union)), comparable(dumpRoot(box.union)))
    assert.throws(() => look.create(plainRoot), TypeError)
    assert.throws(() => look.snapshot(), TypeError)
    run('unlink', '/n')
    run('mkdir', '/n', 0o755)
    const n = look.lookup(0, 'n' as ByteString)
    assert.throws(() => look.readSync(n, 0, Buffer.alloc(4)), {
      code: 'CONTAINER_CHANGED',
      path: join(box.at, 'diff/n'),
    })
    await assert.rejects(look.read(n, 0, Buffer.alloc(4)), { code: 'CONTAINER_CHANGED' })
    await look.close()
    await look.close()
    assert.deepEqual(
      list().filter(name => name !== join('phyllo', 'whiteout')),
      work,
    )
  }),
)

test(
  'a root has the attributes that it was made with; a path too long for the host is refused, and nothing changes',
  inDirectory(async directory => {
    const at = join(directory, 'box')
    const time = { sec: 1_234_567_890, nsec: 123_456_789 }
    const xattrs = [{ name: 'user.r' as ByteString, value: Buffer.from('r') }]
    await makeDirectoryUpper(
      at,
      { ...plainRoot, mode: 0o41777, uid: 5, gid: 6, atime: time, mtime: time, xattrs },
      { calls },
    )
    const { mode, uid, gid, mtimeNs } = fs.statSync(join(at, 'diff'), { bigint: true })
    assert.deepEqual([mode, uid, gid, mtimeNs], [0o41777n, 5n, 6n, 1_234_567_890_123_456_789n])
    assert.equal(fs.statSync(join(at, 'work')).mode & 0o777, 0o700)
    const upper = await openDirectoryUpper(at, { calls, lowers: nothing })
    assert.deepEqual(upper.root.xattrs, xattrs)
    const union = unionOf([], upper, {})
    let path = ''
    for (let depth = 0; depth < 20; depth++) {
      path += `/${'n'.repeat(200)}`
      assert.equal(outcomeOf(union, ['mkdir', path, 0o755]), null)
    }
    const before = upper.inodeCount
    const error = { code: 'STORE_IO', errno: 'ENAMETOOLONG' }
    assert.throws(() => outcomeOf(union, ['mkdir', `${path}/${'n'.repeat(70)}`, 0o755]), error)
    assert.equal(upper.inodeCount, before)
    assert.equal(outcomeOf(union, ['mkdir', '/after', 0o755]), null)
    await upper.close()
    assert.throws(() => upper.create(plainRoot), { code: 'STORE_CLOSED' })
    assert.ok(has(join(at, 'diff/after')))
    await assert.rejects(makeDirectoryUpper(at, plainRoot, { calls }), { code: 'STORE_IO', errno: 'EEXIST' })
  }),
)

test(
  'what a process left in work is gone when it is opened again; what the kernel has there stays',
  inDirectory(async directory => {
    const at = join(directory, 'box')
    await (await directoryUpper(at, { calls })).close()
    fs.mkdirSync(join(at, 'work/work'))
    fs.mkdirSync(join(at, 'work/phyllo/7'), { recursive: true })
    fs.writeFileSync(Buffer.from(join(at, 'work/phyllo/7/\xff'), 'latin1'), '')
    const upper = await directoryUpper(at, { calls })
    assert.deepEqual(fs.readdirSync(join(at, 'work/phyllo')), [])
    await upper.close()
    assert.deepEqual(fs.readdirSync(join(at, 'work')), ['work'])
    fs.rmdirSync(join(at, 'diff'))
    await assert.rejects(openDirectoryUpper(at, { calls, lowers: nothing }), { code: 'STORE_CORRUPT' })
  }),
)

test(
  'names in the layers above count: a directory hidden by a whiteout between layers is not merged with',
  inContainer([layer, { d: gone }, { d: dir({ z: file('z') }) }], 'exdev', async (box, run) => {
    run('open', '/d/f', 'w+c', 0o644, 'mine')
    await box.reopen()
    assert.deepEqual(Object.keys(dumpRoot(box.union).children!.d!.children!).sort(), ['f', 'z'])
  }),
)
