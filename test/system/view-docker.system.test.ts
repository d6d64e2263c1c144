/**
 * A view shows what docker shows: the full listing of an image's view equals that of the kernel's overlay of the layers
 * that a real dockerd unpacked.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DockerTrees } from '../build/docker-trees.js'
import { type Dockerd, startDockerd } from '../build/dockerd.js'
import { listView, untimedPaths } from '../build/full-listing.js'
import { archiveOf, legacyArchive, type MadeImage } from '../build/image.js'
import { randomImage } from '../build/random-image.js'
import { Random } from '../build/random-tar.js'
import { scratchStore } from '../build/store.js'
import { block, char, dir, fifo, file, hardlink, symlink, tar } from '../build/tar.js'

// Short, because the daemon's socket is in it, and paths of all layers must fit into one page of mount options.
const scratch = mkdtempSync('/tmp/pv-')
let dockerd: Dockerd
let trees: DockerTrees

before(async () => {
  dockerd = await startDockerd(join(scratch, 'd'))
  trees = new DockerTrees(dockerd, scratch)
})
after(async () => {
  await dockerd.stop()
  rmSync(scratch, { recursive: true, force: true })
})

type Store = Awaited<ReturnType<typeof scratchStore>>

async function assertSame(store: Store, image: string, note = ''): Promise<string[]> {
  const view = await store.view(image)
  try {
    const untimed = untimedPaths(view)
    const ours = listView(view, untimed)
    const theirs = await trees.listImage(image, untimed)
    // The lines that differ, not both listings whole.
    const differing = {
      missing: theirs.filter(line => !ours.includes(line)),
      more: ours.filter(line => !theirs.includes(line)),
    }
    assert.deepEqual(differing, { missing: [], more: [] }, `${image} ${note}`)
    assert.deepEqual(ours, theirs, `${image} ${note}`)
    return ours
  } finally {
    await view.close()
  }
}

async function loadBoth(store: Store, images: readonly MadeImage[]): Promise<void> {
  const path = join(scratch, 'images.tar')
  writeFileSync(path, archiveOf(legacyArchive(images)))
  await store.load(path)
  await dockerd.docker('load', '-i', path)
}

const mtime = Date.UTC(2001, 1, 3, 4, 5, 6) / 1000
const capability = { 'security.capability': Buffer.from('0100000200200000000000000000000000000000', 'hex') }
const latin1 = (name: string) => Buffer.from(name, 'latin1')

const everyKind: MadeImage = {
  tags: ['every:kind'],
  layers: [
    tar([
      dir('./', { mode: 0o700, uid: 5, mtime }),
      dir('a/', { mtime }),
      file('a/one', 'one', { mtime }),
      hardlink('a/hard', 'a/one'),
      symlink('a/link', 'one', { mtime }),
      dir('a/b/', { mode: 0o750, mtime }),
      file('a/b/two', 'two'),
      dir('a/b/deep/', {}),
      file('a/b/deep/est', 'x'),
      file('hello', 'hello\n'),
      file('big', Buffer.alloc(700_000, 'Tyger, tyger ')),
      dir('becomes-file/'),
      file('becomes-file/x', 'x'),
      file('becomes-dir', 'x'),
      symlink('becomes-real', 'a'),
      dir('merged/', { mode: 0o711, uid: 7, mtime: 5 }),
      file('merged/low', 'low'),
      dir('tmp/', { mode: 0o1777 }),
    ]),
    tar([
      file('a/.wh.hard'),
      file('a/b/.wh..wh..opq'),
      file('a/b/fresh', 'fresh', { mtime: 1.5 }),
      file('.wh.hello'),
      file('becomes-file', 'now a file', { mtime }),
      dir('becomes-dir/', { mtime }),
      file('becomes-dir/x', 'x'),
      dir('becomes-real/', { mtime }),
      file('becomes-real/y', 'y'),
      dir('merged/', { mode: 0o2770, uid: 8, gid: 9, mtime: 6 }),
      file('merged/high', 'high'),
    ]),
    tar([
      fifo('tmp/fifo', { mode: 0o620, mtime }),
      char('tmp/null', 1, 3, { mode: 0o666, mtime }),
      char('tmp/wide', 511, 300_000, { mtime }),
      block('tmp/disk', 259, 7, { mode: 0o660, gid: 6, mtime }),
      file('tmp/setuid', 'su', { mode: 0o4755, uid: 1, mtime }),
      file('tmp/setgid', 'sg', { mode: 0o2745, gid: 1, mtime }),
      file('tmp/cap', 'cap', { mode: 0o755, mtime, xattrs: capability }),
      file('tmp/noted', '', { xattrs: { 'user.ü': latin1('\x00\xff\n'), 'trusted.t': 'x' } }),
      dir('tmp/noted.d/', { xattrs: { 'user.dir': 'd' } }),
      symlink('tmp/owned', '/', { uid: 3, gid: 4, mtime }),
      file('tmp/linked', 'linked', { mode: 0o4755, uid: 1, mtime }),
      hardlink('tmp/link-to-it', 'tmp/linked', { mode: 0o2700, mtime: 77, uid: 9, gid: 8 }),
    ]),
    tar([
      file('names/ü中文 name', 'u', { mtime }),
      file(latin1('names/caf\xe9'), 'latin1'),
      file(latin1('names/\x01\x1b\\ "\n'), 'control'),
      file(`names/${'n'.repeat(255)}`, 'long'),
      file(`names/${'d'.repeat(200)}/${'e'.repeat(200)}/f`, 'long path'),
      symlink('names/long-target', 'x/'.repeat(1000)),
      file('names/.wh', 'no whiteout'),
      file('names/a.wh.b', 'nor this'),
      file('implied/by/this', ''),
    ]),
    tar([
      file('a/.wh.one'),
      file('never/was/.wh.here'),
      file('big', 'small now', { mtime }),
      dir('tmp/', { mode: 0o1733, uid: 2, mtime: 1_700_000_000 }),
      file('old', '', { mtime: 0 }),
      file('precise', '', { pax: { mtime: '1234567890.123456789' } }),
      file('future', '', { mtime: 4_102_444_800 }),
      file('rich', '', { uid: 2_000_000_000, gid: 3_000_000 }),
    ]),
    tar([]),
  ],
}

test('an image with entries of every kind, in six layers', async t => {
  const store = await scratchStore(t)
  await loadBoth(store, [everyKind])
  const lines = await assertSame(store, 'every:kind')
  // That something was compared at all.
  for (const part of [
    'rdev 259',
    'security.capability=01',
    'same as ',
    '-> one',
    ' 104755 ',
    'trusted.t=78',
    'caf\u00e9',
  ])
    assert.ok(
      lines.some(line => line.includes(part)),
      part,
    )
  assert.ok(!lines.some(line => /hello|one"|hard/.test(line.split(' ')[0]!)))
})

test('P-68: 20 random images of one to six layers', async t => {
  const seed = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  const random = new Random(seed)
  const images = Array.from({ length: 20 }, (_, n) => randomImage(random, `random:${n}`))
  const store = await scratchStore(t)
  await loadBoth(store, images)
  let compared = 0
  for (const { tags } of images) compared += (await assertSame(store, tags![0]!, `PHYLLO_SEED=${seed}`)).length
  assert.ok(compared > 200, `${compared} lines`)
})

test('an image that docker itself made: imported from directories of this machine, changed in containers, saved', async t => {
  const own = join(scratch, 'own.tar')
  execFileSync('tar', [
    '-C',
    '/',
    '--numeric-owner',
    '--xattrs',
    '-cf',
    own,
    'etc',
    'usr/share/zoneinfo',
    'usr/lib/os-release',
  ])
  await dockerd.docker('import', own, 'made:0')
  for (const [n, change] of changes.entries()) {
    const container = (await dockerd.docker('create', `made:${n}`, 'nothing')).trim()
    const upper = await dockerd.docker('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', container)
    await change(upper.trim(), container)
    await dockerd.docker('commit', container, `made:${n + 1}`)
    await dockerd.docker('rm', container)
  }
  const saved = join(scratch, 'saved.tar')
  const last = `made:${changes.length}`
  await dockerd.docker('save', '-o', saved, last, 'made:0')
  const store = await scratchStore(t)
  await store.load(saved)
  assert.ok((await assertSame(store, last)).length > 1000)
  await assertSame(store, 'made:0')
})

const differences: readonly { why: string; layer: Buffer; shown: RegExp; ours: number; docker: number }[] = [
  {
    why: 'dockerd loses the capabilities of a file to which a link is made: it changes the owner once more',
    layer: tar([file('cap', 'cap', { mode: 0o755, xattrs: capability }), hardlink('link', 'cap', { mode: 0o755 })]),
    shown: /security\.capability=/,
    ours: 2,
    docker: 0,
  },
  {
    why: 'dockerd takes times before 1970 for 1970',
    layer: tar([file('old', '', { mtime: -86_400 })]),
    shown: /^"\/old" .* mtime -86400000000000 /,
    ours: 1,
    docker: 0,
  },
  {
    why: 'dockerd has no xattrs that are empty: to a PAX reader that is a field taken back',
    layer: tar([file('empty', '', { xattrs: { 'user.empty': '' } })]),
    shown: /user\.empty=/,
    ours: 1,
    docker: 0,
  },
  {
    why: 'a directory that no entry describes has mode 0755, also below one whose group is inherited',
    layer: tar([dir('shared/', { mode: 0o2775 }), file('shared/implied/f', '')]),
    shown: /^"\/shared\/implied" 40755 /,
    ours: 1,
    docker: 0,
  },
]

test('what is meant to differ', async t => {
  const store = await scratchStore(t)
  await loadBoth(
    store,
    differences.map(({ layer }, n) => ({ layers: [layer], tags: [`differs:${n}`] })),
  )
  for (const [n, { why, shown, ours, docker }] of differences.entries()) {
    const view = await store.view(`differs:${n}`)
    const counts = [listView(view, new Set()), await trees.listImage(`differs:${n}`, new Set())].map(
      lines => lines.filter(line => shown.test(line)).length,
    )
    assert.deepEqual(counts, [ours, docker], why)
  }
})

/** What runs would have done in a container: through docker's own copy, and in its upper directory, as the kernel leaves it. */
const changes: readonly ((upper: string, container: string) => Promise<void>)[] = [
  async (_upper, container) => {
    await dockerd.docker('cp', '/usr/lib/os-release', `${container}:/etc/copied`)
    await dockerd.docker('cp', '/etc/ssl', `${container}:/srv`)
  },
  async upper => {
    const script = `
      mkdir -p etc usr/share/zoneinfo/Europe usr/share/zoneinfo/Asia new/dir
      mknod etc/passwd c 0 0; mknod usr/share/zoneinfo/Africa c 0 0
      setfattr -n trusted.overlay.opaque -v y usr/share/zoneinfo/Asia
      printf fresh > usr/share/zoneinfo/Asia/Fresh
      mkfifo new/pipe; mknod new/null c 1 3; printf x > new/x; ln new/x new/dir/y; ln -s ../new/x new/link
      chmod 4755 new/x; chown 1234:4321 new/x new/link -h; chmod 1777 new; touch -d '2001-02-03 04:05:06' new/x new/dir
      setfattr -n user.note -v hi new/x; printf cap > new/cap
      setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 new/cap
      printf u > 'new/ü中文 name'; printf n > "$(printf 'new/\\377\\376')"`
    execFileSync('sh', ['-euc', script], { cwd: upper })
  },
  async (upper, container) => {
    execFileSync('sh', ['-euc', 'mkdir new; mknod new/link c 0 0; mkdir new/dir; printf z > new/dir/z'], { cwd: upper })
    await dockerd.docker('cp', '/etc/hosts', `${container}:/etc/passwd`)
  },
]
