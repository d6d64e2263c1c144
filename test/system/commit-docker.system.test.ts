/**
 * The same changes in a container of a real dockerd, through the kernel's overlay of its directories, and in ours: the same
 * `docker diff`; what we commit, docker shows; what docker commits, we show; and both are one tree. Configs field by field.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { commitConfig } from '../../src/images/commit-config.js'
import { defaultLimits } from '../../src/limits.js'
import { parseImageConfig } from '../../src/oci/config.js'
import { changes } from '../../src/overlay/difference/changes.js'
import { CommitStore } from '../build/commit-store.js'
import { DockerTrees } from '../build/docker-trees.js'
import { type Dockerd, startDockerd } from '../build/dockerd.js'
import { listView, untimedPaths } from '../build/full-listing.js'
import { archiveOf, legacyArchive, type MadeImage } from '../build/image.js'
import { scratchStore } from '../build/store.js'
import { block, dir, fifo, file, hardlink, symlink, tar } from '../build/tar.js'
import { outcomeOf } from '../build/union-run.js'
import type { Op } from '../build/union-sequence.js'

const scratch = fs.mkdtempSync('/tmp/pc-')
let dockerd: Dockerd
let trees: DockerTrees

before(async () => {
  dockerd = await startDockerd(join(scratch, 'd'))
  trees = new DockerTrees(dockerd, scratch)
})
after(async () => {
  await dockerd.stop()
  fs.rmSync(scratch, { recursive: true, force: true })
})

const mtime = 1_000_000_000
const base: MadeImage = {
  tags: ['base:1'],
  config: {
    config: { Cmd: ['/bin/sh'], Env: ['A=1'] },
    history: [{ created: '2020-01-02T03:04:05Z' }, { created: '2020-01-02T03:04:05Z' }],
  },
  layers: [
    tar([
      dir('d/', { mtime }),
      file('d/a', 'a', { mtime }),
      file('d/b', 'b', { mtime }),
      dir('d/s/', { mtime }),
      file('d/s/x', 'x', { mtime }),
      dir('gone/', { mtime }),
      file('gone/x', 'x', { mtime }),
      dir('anew/', { mtime }),
      file('anew/old', 'old', { mtime }),
      dir('anew/sub/', { mtime }),
      file('anew/sub/y', 'y', { mtime }),
      file('f', 'f', { mtime }),
      hardlink('g', 'f', { mtime }),
      file('to-dir', 'x', { mtime }),
      dir('to-file/', { mtime }),
      file('to-file/in', 'x', { mtime }),
      symlink('l', 'd', { mtime }),
      fifo('p', { mtime }),
      file('hidden', 'x', { mtime }),
      file('same', 'same', { mtime }),
    ]),
    tar([
      file('.wh.hidden'),
      dir('d/', { mode: 0o711, mtime }),
      file('d/c', 'c', { mtime }),
      block('disk', 8, 1, { mtime }),
    ]),
  ],
}

const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex').toString('latin1')
const write = (path: string, data: string): Op => ['open', path, 'w+c', 0o644, data]
const script: readonly Op[] = [
  ['unlink', '/d/a'],
  ['open', '/d/b', 'w+a', 0, ' and more'],
  ['chmod', '/d/s', 0o700],
  ['unlink', '/gone/x'],
  ['rmdir', '/gone'],
  ['unlink', '/anew/old'],
  ['unlink', '/anew/sub/y'],
  ['rmdir', '/anew/sub'],
  ['rmdir', '/anew'],
  ['mkdir', '/anew', 0o750],
  write('/anew/new', 'new'),
  ['unlink', '/to-dir'],
  ['mkdir', '/to-dir', 0o755],
  write('/to-dir/in', 'in'),
  ['unlink', '/to-file/in'],
  ['rmdir', '/to-file'],
  write('/to-file', 'a file now'),
  ['rename', '/f', '/d/moved'],
  ['link', '/d/moved', '/d/linked'],
  ['unlink', '/l'],
  ['symlink', 'elsewhere', '/l'],
  write('/hidden', 'back again'),
  ['mknod', '/null', 0o020644, 1, 3],
  ['mknod', '/fifo', 0o010600, 0, 0],
  ['mkdir', '/pure', 0o755],
  write('/pure/x', 'x'),
  ['rename', '/pure', '/d/pure'],
  write('/came', 'and went'),
  ['unlink', '/came'],
  write('/big', 'content '.repeat(50_000)),
  ['chown', '/big', 3_000_000, 4_000_000, true],
  ['setxattr', '/same', 'security.capability', capability],
  ['open', '/p', 'w', 0, ''],
  write(`/${'n'.repeat(200)}`, 'long'),
  write('/caf\u00e9', 'latin1'),
]

const changedDirectories = ['/d', '/d/s', '/d/pure', '/anew', '/to-dir']
const fixed: Op[] = [
  ...changedDirectories,
  ...[
    '/d/b',
    '/d/moved',
    '/d/linked',
    '/d/pure/x',
    '/anew/new',
    '/to-dir/in',
    '/to-file',
    '/l',
    '/hidden',
    '/null',
    '/fifo',
  ],
  ...['/big', '/same', `/${'n'.repeat(200)}`, '/caf\u00e9'],
].map(path => ['utimes', path, 1_500_000_000e9, false])

/** The operation on the mount, by node:fs and the programs of the host. */
function onMount(merged: string, [name, ...args]: Op): void {
  const at = (path: unknown) => Buffer.from(`${merged}${path}`, 'latin1')
  const [first, second, third, fourth] = args as [string, never, never, never]
  const path = at(first)
  if (name === 'unlink') fs.unlinkSync(path)
  else if (name === 'rmdir') fs.rmdirSync(path)
  else if (name === 'mkdir') fs.mkdirSync(path, second)
  else if (name === 'rename') fs.renameSync(path, at(second))
  else if (name === 'link') fs.linkSync(path, at(second))
  else if (name === 'symlink') fs.symlinkSync(first, at(second))
  else if (name === 'chmod') fs.chmodSync(path, second)
  else if (name === 'chown') fs.lchownSync(path, second, third)
  else if (name === 'utimes') fs.lutimesSync(path, Number(second) / 1e9, Number(second) / 1e9)
  else if (name === 'setxattr')
    execFileSync('setfattr', ['-n', second, '-v', `0x${Buffer.from(third, 'latin1').toString('hex')}`, path.toString()])
  else if (name === 'mknod') {
    const mode = `-m${(Number(second) & 0o7777).toString(8)}`
    const what = (Number(second) & 0o170000) === 0o010000 ? ['p'] : ['c', String(third), String(fourth)]
    execFileSync('mknod', [mode, path.toString(), ...what])
  } else if (name === 'open') {
    if (!fs.existsSync(path) || fs.statSync(path).isFile())
      fs.writeFileSync(path, fourth, { flag: String(second).includes('a') ? 'a' : 'w', mode: third })
  } else throw new TypeError(name)
}

test('one script of changes: diff, commit and both images', async t => {
  const path = join(scratch, 'base.tar')
  fs.writeFileSync(path, archiveOf(legacyArchive([base])))
  await dockerd.docker('load', '-i', path)
  const container = (await dockerd.docker('create', 'base:1')).trim()
  await trees.inContainer(container, merged => {
    for (const op of [...script, ...fixed]) onMount(merged, op)
  })
  const theirDiff = (await dockerd.docker('diff', container)).trim().split('\n').sort()
  await dockerd.docker('commit', '-a', 'me', '-m', 'why', container, 'theirs:1')

  const store = await scratchStore(t)
  const [image] = await store.load(path)
  await using commits = await CommitStore.open(store.root)
  const box = await commits.create(image!.id)
  for (const op of [...script, ...fixed]) {
    const outcome = outcomeOf(box.union, op) as { errno?: string } | null
    // Nobody opens a fifo for writing and waits here; on the mount it is left alone.
    assert.ok(outcome?.errno === undefined || op[1] === '/p', `${op.slice(0, 3)}: ${outcome?.errno}`)
  }
  const ourDiff = [...changes(box.union)].map(({ kind, path: name }) => `${kind} ${name}`).sort()
  assert.deepEqual(
    ourDiff,
    theirDiff.map(line => line.replace('\\xe9', '\ufffd')),
  )

  await commits.commit(box, { tag: 'ours:1', author: 'me', message: 'why' })
  const [theirs, ours] = [join(scratch, 'theirs.tar'), join(scratch, 'ours.tar')]
  await store.save('ours:1', ours)
  await dockerd.docker('load', '-i', ours)
  await dockerd.docker('save', '-o', theirs, 'theirs:1')
  await store.load(theirs)

  const [ourView, theirView] = [await store.view('ours:1'), await store.view('theirs:1')]
  const untimed = untimedPaths(ourView)
  const listing = listView(ourView, untimed)
  // theirs, as we show it; ours, as docker shows it; ours, as we show it
  assert.deepEqual(listView(theirView, untimed), listing)
  assert.deepEqual(await trees.listImage('ours:1', untimed), listing)
  assert.deepEqual(await trees.listImage('theirs:1', untimed), listing)
  for (const part of ['security.capability=01', 'same as', 'caf\u00e9', '-> elsewhere', '3000000:4000000'])
    assert.ok(
      listing.some(line => line.includes(part)),
      part,
    )
  await Promise.all([ourView.close(), theirView.close()])
})

const optionSets: readonly (readonly string[])[] = [
  [],
  ['CMD ["x", "y"]', 'ENV B=$A C="two words"', 'EXPOSE 80 90-91/udp', 'LABEL k=v', 'USER u', 'VOLUME /v', 'WORKDIR w'],
  ['ENTRYPOINT exec it', 'HEALTHCHECK --interval=5s --retries=2 CMD curl x', 'ONBUILD RUN y'],
]

test('image configs are those of docker commit, field by field', async () => {
  const path = join(scratch, 'base.tar')
  fs.writeFileSync(path, archiveOf(legacyArchive([base])))
  await dockerd.docker('load', '-i', path)
  const id = (await dockerd.docker('create', 'base:1')).trim()
  const bytesOf = (digest: string) =>
    fs.readFileSync(join(dockerd.root, 'image/overlay2/imagedb/content/sha256', digest.trim().replace('sha256:', '')))
  const read = (bytes: Buffer) => parseImageConfig(bytes, { limits: defaultLimits, what: 'test' })
  const from = read(bytesOf(await dockerd.docker('image', 'inspect', '-f', '{{.Id}}', 'base:1')))
  for (const given of optionSets) {
    const options = given.flatMap(change => ['-c', change])
    const theirs = bytesOf(await dockerd.docker('commit', '-a', 'a <b>', '-m', 'why', ...options, id))
    const { created, diffIds } = read(theirs)
    const container = { id, image: 'base:1' }
    const diffId = diffIds[from.diffIds.length]
    const text = { author: 'a <b>', message: 'why', changes: given }
    const ours = commitConfig({ ...text, base: from, diffId, created: created!, container })
    // The client had attached its outputs; and the version is not ours to say.
    const expected = theirs
      .toString()
      .replaceAll('"AttachStdout":true,"AttachStderr":true', '"AttachStdout":false,"AttachStderr":false')
      .replace(/"docker_version":"[^"]*",/, '')
    assert.equal(ours.toString(), expected, given.join(' | '))
  }
})
