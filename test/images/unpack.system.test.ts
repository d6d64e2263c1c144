/**
 * What unpack writes as root is what GNU tar, umoci and the view say; as an ordinary user, what such a one can set and a report of
 * the rest; and what file systems do that are full, or take two names for one.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { PhylloError, Store, type UnpackReport } from '../../src/index.js'
import { program } from '../build/cli.js'
import { listDirectory, listView, untimedPaths } from '../build/full-listing.js'
import { archiveOf, legacyArchive } from '../build/image.js'
import { randomImage } from '../build/random-image.js'
import { Random } from '../build/random-tar.js'
import { compiledRoot, repoRoot } from '../build/repo.js'
import { archiveFile, scratchStore } from '../build/store.js'
import { block, char, dir, fifo, file, hardlink, symlink, tar } from '../build/tar.js'

// A file system that has all xattrs
const scratch = mkdtempSync('/dev/shm/pu-')
after(() => rmSync(scratch, { recursive: true, force: true }))

const capability = { 'security.capability': Buffer.from('0100000200200000000000000000000000000000', 'hex') }
const mtime = 981_173_106
// The header of a hard link says once more what its inode is
const able = { uid: 7, xattrs: { ...capability, 'user.note': 'n', 'trusted.own': 't' }, mtime }
const link = { mode: 0o777, uid: 9, gid: 9, pax: { mtime: '1600000000.000000001' } }
const device = { mode: 0o666, mtime }
const everything = [
  dir('d/', { mode: 0o2750, uid: 3, gid: 4, mtime }),
  dir('d/default-acl/', {
    mtime,
    xattrs: {
      'system.posix_acl_default': Buffer.from(
        '0200000001000700ffffffff04000500ffffffff10000700ffffffff20000000ffffffff',
        'hex',
      ),
    },
  }),
  file('d/default-acl/child', 'c', { mode: 0o664, mtime }),
  file('d/set-uid', 's', { mode: 0o4755, uid: 1000, gid: 50, mtime }),
  file('d/set-gid', 's', { mode: 0o2755, uid: 0, gid: 50, mtime }),
  file('d/able', 'a', able),
  file('d/nano', 'n', { pax: { mtime: '1700000000.123456789' } }),
  file('d/before-1970', 'b', { pax: { mtime: '-12345.5' } }),
  file('d/large', Buffer.alloc(3_000_001, 'large '), { mtime }),
  file('d/empty', '', { mode: 0, mtime }),
  hardlink('d/second-name', 'd/able', able),
  hardlink('a-third', 'd/able', able),
  symlink('d/link', '/etc/passwd', link),
  hardlink('d/link-again', 'd/link', link),
  char('d/null', 1, 3, device),
  block('d/loop', 7, 70_000, { mode: 0o660, gid: 6, mtime }),
  hardlink('d/null-again', 'd/null', device),
  fifo('d/pipe', { mode: 0o622, uid: 12, mtime }),
  file(Buffer.from('d/\xff\xfe', 'latin1'), 'bytes', { mtime }),
  dir('locked/', { mode: 0, mtime }),
  file('locked/in', 'i', { mtime }),
  dir('sticky/', { mode: 0o1777, mtime }),
]

async function storeOf(t: TestContext, layers: readonly Buffer[], workers = 2): Promise<Store> {
  const store = await scratchStore(t, { workers })
  await store.load(archiveFile(t, legacyArchive([{ layers, tags: ['image:v1'] }])))
  return store
}

function freshDirectory(t: TestContext): string {
  const path = mkdtempSync(join(scratch, 'o-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function assertSameAsView(store: Store, image: string, directory: string, note = ''): Promise<void> {
  const view = await store.view(image)
  assert.deepEqual(listDirectory(directory, new Set()), listView(view, new Set()), note)
  await view.close()
}

for (const workers of [0, 1, 2])
  test(`workers: ${workers}: every kind of node, as GNU tar extracts it`, async t => {
    const layer = tar(everything)
    const store = await storeOf(t, [layer], workers)
    const folder = freshDirectory(t)
    const report = await store.unpack('image:v1', join(folder, 'ours'))
    mkdirSync(join(folder, 'theirs'))
    const options = ['-x', '-p', '--numeric-owner', '--xattrs', '--xattrs-include=*', '-C', join(folder, 'theirs')]
    execFileSync('tar', [...options, '-f', '-'], { input: layer })
    // tar sets the time of a directory when it leaves it, and then comes back to this one
    const untimed = new Set(['/d'])
    const lines = (name: string) => listDirectory(join(folder, name), untimed).slice(1)
    assert.deepEqual(lines('ours'), lines('theirs'))
    await assertSameAsView(store, 'image:v1', join(folder, 'ours'))
    for (const [kind, { count }] of Object.entries(report.notSet)) assert.equal(count, 0, kind)
    assert.equal(report.entries, lines('ours').length)
    assert.deepEqual(readdirSync(folder).sort(), ['ours', 'theirs'])
  })

test('20 random images: the directory is what the view shows', async t => {
  const seed = Date.now() % 2 ** 31
  const random = new Random(seed)
  const store = await scratchStore(t, { workers: 2 })
  for (let n = 0; n < 20; n++) {
    const image = randomImage(random, `random:${n}`)
    await store.load(archiveFile(t, legacyArchive([image])))
    const directory = join(freshDirectory(t), 'tree')
    await store.unpack(`random:${n}`, directory)
    await assertSameAsView(store, `random:${n}`, directory, `seed ${seed}, image ${n}`)
  }
})

test('several layers, as umoci unpacks them', async t => {
  const folder = freshDirectory(t)
  const layers = [
    tar(everything),
    tar([
      dir('d/', { mode: 0o2750, uid: 3, gid: 4, mtime }),
      file('d/.wh.set-uid'),
      file('d/large', 'small now', { mtime }),
      dir('locked/', { mode: 0, mtime }),
      file('locked/.wh..wh..opq'),
      dir('new/', { mtime }),
    ]),
  ]
  const store = await storeOf(t, layers)
  writeFileSync(join(folder, 'image.tar'), archiveOf(legacyArchive([{ layers, tags: ['image:v1'] }])))
  const layout = join(folder, 'layout')
  execFileSync('skopeo', [
    '--insecure-policy',
    'copy',
    '-q',
    `docker-archive:${join(folder, 'image.tar')}`,
    `oci:${layout}:v1`,
  ])
  execFileSync('umoci', ['unpack', '--image', `${layout}:v1`, join(folder, 'bundle')], { stdio: 'pipe' })
  await store.unpack('image:v1', join(folder, 'ours'))
  const view = await store.view('image:v1')
  const untimed = untimedPaths(view)
  await view.close()
  // umoci keeps whole seconds
  const form = { time: (ns: bigint) => String(ns / 1_000_000_000n) }
  const lines = (directory: string) => listDirectory(directory, untimed, form)
  assert.deepEqual(lines(join(folder, 'ours')), lines(join(folder, 'bundle/rootfs')))
})

test('without native calls: all but devices, pipes, xattrs and nanoseconds, and the report says so', async t => {
  const store = await storeOf(t, [tar(everything)])
  await store.close()
  const directory = join(freshDirectory(t), 'tree')
  const args = [program, '--root', store.root, '--format', 'json', 'unpack', 'image:v1', directory]
  const { stdout, stderr } = spawnSync(process.execPath, args, { env: { ...process.env, PHYLLO_NATIVE: '0' } })
  assert.equal(stderr.toString(), '')
  const { notSet } = JSON.parse(stdout.toString()) as UnpackReport
  const counts = Object.entries(notSet).map(([kind, { count }]) => [kind, count])
  assert.deepEqual(Object.fromEntries(counts), {
    ...{ owners: 0, setid: 0, modes: 0, xattrs: 2, devices: 3, fifos: 1, times: 2 },
  })
  assert.deepEqual(notSet.devices.examples, ['/d/loop', '/d/null', '/d/null-again'])
  assert.ok(!existsSync(join(directory, 'd/null')))
})

/** The program where every user can read it, wherever it was built; until the test ends. */
function programForAll(t: TestContext): string {
  const folder = mkdtempSync(join(scratch, 'p-'))
  chmodSync(folder, 0o755)
  copyFileSync(join(repoRoot, 'package.json'), join(folder, 'package.json'))
  const bound = [
    [compiledRoot, join(folder, 'dist')],
    [join(repoRoot, 'node_modules'), join(folder, 'node_modules')],
  ] as const
  for (const [from, to] of bound) {
    mkdirSync(to)
    execFileSync('mount', ['--bind', realpathSync(from), to])
  }
  t.after(() => {
    for (const [, to] of bound) execFileSync('umount', [to])
    rmSync(folder, { recursive: true })
  })
  return join(folder, 'dist', relative(compiledRoot, program))
}

test('an ordinary user: own files, no set-id bits of others, and a report of what is missing', async t => {
  const folder = freshDirectory(t)
  chmodSync(scratch, 0o755)
  chownSync(folder, 65_534, 65_534)
  const archive = archiveFile(t, legacyArchive([{ layers: [tar(everything)], tags: ['image:v1'] }]))
  copyFileSync(archive, join(folder, 'image.tar'))
  const everybodys = programForAll(t)
  const phyllo = (...words: string[]) => {
    const args = [everybodys, '--root', join(folder, 'store'), '--durability', 'none', '--format', 'json', ...words]
    const ran = spawnSync(process.execPath, args, {
      uid: 65_534,
      gid: 65_534,
      cwd: '/',
      env: { PATH: process.env.PATH! },
    })
    assert.equal(ran.stderr.toString(), '')
    return ran.stdout.toString()
  }
  phyllo('load', '-q', '-i', join(folder, 'image.tar'))
  const { notSet, entries } = JSON.parse(phyllo('unpack', 'image:v1', join(folder, 'tree'))) as UnpackReport
  const counts = Object.entries(notSet).map(([kind, { count }]) => [kind, count])
  assert.deepEqual(Object.fromEntries(counts), {
    // The root among them
    ...{ owners: 17, setid: 3, modes: 0, xattrs: 1, devices: 3, fifos: 0, times: 0 },
  })
  assert.deepEqual(notSet.setid.examples, ['/d', '/d/set-gid', '/d/set-uid'])
  assert.deepEqual(notSet.devices.examples, ['/d/loop', '/d/null', '/d/null-again'])
  const lines = listDirectory(join(folder, 'tree'), new Set())
  assert.equal(lines.length, entries + 1)
  for (const line of lines) assert.match(line, / 65534:65534 /)
  const of = (path: string) => lines.find(line => line.startsWith(JSON.stringify(path)))!
  assert.match(of('/d/set-uid'), /^"\/d\/set-uid" 100755 /)
  assert.match(of('/d/nano'), /mtime 1700000000123456789/)
  assert.match(of('/d/able'), /user\.note=6e/)
  assert.match(of('/locked'), /^"\/locked" 40000 .*mtime 981173106000000000/)
  assert.match(of('/d/empty'), /^"\/d\/empty" 100000 /)
})

/** A file system of its own, until the test ends. */
function mounted(t: TestContext, options: string): string {
  const path = mkdtempSync(join(scratch, 'm-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  t.after(() => {
    execFileSync('umount', [path])
    rmSync(path, { recursive: true })
  })
  return path
}

for (const [what, options] of [
  ['bytes', 'size=1m'],
  ['inodes', 'nr_inodes=12'],
] as const)
  test(`a file system without ${what} left: OUTPUT_IO names the call and the path, and nothing stays`, async t => {
    const { root } = await storeOf(t, [tar(everything)])
    // With no reserve, and files that may take no room of their own: what is missing, only the system says.
    const store = await Store.open(root, { workers: 2, durability: 'none', limits: { reserveBytes: 0 } })
    t.after(() => store.close())
    const folder = mounted(t, options)
    await assert.rejects(
      async () => store.unpack('image:v1', join(folder, 'tree'), { links: 'reflink' }),
      (error: PhylloError) => {
        assert.ok(error instanceof PhylloError)
        assert.equal(error.code, 'OUTPUT_IO')
        assert.equal(error.path, join(folder, 'tree'))
        assert.match(error.message, /ENOSPC/)
        return typeof error.operation === 'string'
      },
    )
    assert.deepEqual(readdirSync(folder), [])
  })

test('a mount point is refused before anything is made', async t => {
  const store = await storeOf(t, [tar(everything)])
  const folder = mounted(t, 'size=1m')
  await assert.rejects(async () => store.unpack('image:v1', folder), { code: 'OUTPUT_EXISTS', path: folder })
  assert.deepEqual(readdirSync(folder), [])
})

test('a directory with a set-group-id bit and a default ACL hands nothing of them down', async t => {
  const store = await storeOf(t, [tar([dir('d/'), file('d/f', 'f'), symlink('s', 'd')])])
  const folder = freshDirectory(t)
  chownSync(folder, 0, 50)
  chmodSync(folder, 0o2777)
  execFileSync('setfattr', [
    '-n',
    'system.posix_acl_default',
    '-v',
    '0x0200000001000700ffffffff04000700ffffffff20000700ffffffff',
    folder,
  ])
  await store.unpack('image:v1', join(folder, 'tree'))
  await assertSameAsView(store, 'image:v1', join(folder, 'tree'))
})
