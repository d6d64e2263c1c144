/**
 * isomorphic-git, given a container as its `fs` and nothing else, while the host's files are locked: it clones from git's own server,
 * changes, commits, merges and pushes, and git itself accepts what is exported.
 */
import assert from 'node:assert/strict'
import { createReadStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type TestContext, test } from 'node:test'
import isomorphicGit from 'isomorphic-git'
import http from 'isomorphic-git/http/node'
import * as tarFs from 'tar-fs'
import type { Container } from '../../src/index.js'
import { git, serveGit } from '../build/git.js'
import { makeProject } from '../build/git-project.js'
import { locked } from '../build/host-fs.js'
import { scratchDir, scratchStore } from '../build/store.js'
import { storeWithImage } from '../build/users.js'

const dir = '/srv/project'
const author = { name: 'Guest', email: 'guest@example.com', timestamp: 1_100_000_000, timezoneOffset: -60 }

/** The project in `dir` as the container's export has it, unpacked on this machine. */
async function exported(t: TestContext, box: Container): Promise<string> {
  const scratch = scratchDir(t)
  const unpacked = join(scratch, 'unpacked')
  mkdirSync(unpacked)
  await box.export(join(scratch, 'box.tar'))
  await pipeline(createReadStream(join(scratch, 'box.tar')), tarFs.extract(unpacked))
  return join(unpacked, dir)
}

/** What git says of a sound repository whose working tree is what its last commit says: nothing. */
function assertSound(work: string): void {
  assert.equal(git(work, 'fsck', '--strict', '--full', '--no-dangling'), '')
  assert.equal(git(work, 'status', '--porcelain'), '')
}

/** What `add --all` does. */
async function addAll(fs: Container): Promise<string[]> {
  const rows = await isomorphicGit.statusMatrix({ fs, dir })
  const changed = rows.filter(([, head, work, stage]) => head !== work || work !== stage)
  for (const [filepath, , work] of changed) {
    if (work === 0) await isomorphicGit.remove({ fs, dir, filepath })
    else await isomorphicGit.add({ fs, dir, filepath })
  }
  return changed.map(([filepath]) => filepath)
}

test('a clone over HTTP, changed, committed, merged and pushed', async t => {
  const folder = scratchDir(t)
  makeProject(folder, 'project')
  const url = `${await serveGit(t, folder)}/project.git`
  const store = await scratchStore(t, { workers: 0 })
  const fs = await store.create('scratch')
  const first = git(join(folder, 'project.git'), 'rev-parse', 'main')
  const [commit, merge] = await locked(store.root, async () => {
    await isomorphicGit.clone({ fs, http, dir, url })
    assert.equal(await isomorphicGit.resolveRef({ fs, dir, ref: 'HEAD' }), first)
    assert.deepEqual(await addAll(fs), [])
    assert.equal(await fs.promises.readFile(`${dir}/ünï cödé/with space.txt`, 'utf8'), 'odd\n')

    await fs.promises.appendFile(`${dir}/README.md`, 'changed\n')
    await fs.promises.chmod(`${dir}/src/main.js`, 0o755)
    await fs.promises.rename(`${dir}/src/deep`, `${dir}/shallow`)
    await fs.promises.unlink(`${dir}/bin/main`)
    await fs.promises.symlink('run', `${dir}/bin/link`)
    await fs.promises.writeFile(`${dir}/large.bin`, Buffer.alloc(3_000_000, 'not at all random '))
    await fs.promises.writeFile(`${dir}/ignored.log`, '')
    const changed = ['README.md', 'bin/link', 'bin/main', 'large.bin', 'shallow/other.txt', 'src/deep/other.txt']
    assert.deepEqual(await addAll(fs), changed)
    // Its status says nothing of modes
    await isomorphicGit.add({ fs, dir, filepath: 'src/main.js' })
    const made = await isomorphicGit.commit({ fs, dir, message: 'by a guest\n', author })

    const message = 'merge the topic\n'
    const theirs = 'origin/topic'
    const { oid } = await isomorphicGit.merge({ fs, dir, ours: 'main', theirs, message, author })
    await isomorphicGit.checkout({ fs, dir, ref: 'main' })
    const pushed = await isomorphicGit.push({ fs, http, dir, remote: 'origin', ref: 'main' })
    assert.equal(pushed.ok, true)
    return [made, oid]
  })

  const work = await exported(t, fs)
  assertSound(work)
  assert.deepEqual(git(work, 'log', '--first-parent', '--format=%H %s', '-3').split('\n'), [
    `${merge} merge the topic`,
    `${commit} by a guest`,
    `${first} third`,
  ])
  assert.equal(
    git(work, 'log', '-1', '--format=%an %ae %ad', commit!),
    'Guest guest@example.com Tue Nov 9 12:33:20 2004 +0100',
  )
  assert.deepEqual(
    git(work, 'show', '--no-renames', '--format=', '--raw', '--abbrev=1', commit!).split('\n').map(row),
    [
      '100644 100644 M README.md',
      '000000 120000 A bin/link',
      '120000 000000 D bin/main',
      '000000 100644 A large.bin',
      '000000 100644 A shallow/other.txt',
      '100644 000000 D src/deep/other.txt',
      '100644 100755 M src/main.js',
    ],
  )
  assert.equal(git(work, 'show', 'HEAD:topic.txt'), 'of the topic')
  const bare = join(folder, 'project.git')
  assert.equal(git(bare, 'rev-parse', 'main'), merge)
  assert.equal(git(bare, 'fsck', '--strict', '--full'), '')
})

/** Of `:100644 100755 1234 5678 M\tpath`, without the ids. */
function row(line: string): string {
  const [, from, to, kind, path] = /^:(\d+) (\d+) \S+ \S+ (\w)\t(.*)$/.exec(line)!
  return `${from} ${to} ${kind} ${path}`
}

test('a repository out of a layer is clean; what is committed in it is in the committed image', async t => {
  const folder = scratchDir(t)
  makeProject(folder, 'project')
  const first = git(join(folder, 'project'), 'rev-parse', 'main')
  const layer = await buffer(
    tarFs.pack(join(folder, 'project'), { map: header => ({ ...header, name: join(dir, header.name) }) }),
  )
  const store = await storeWithImage(t, [layer])
  const fs = await store.create('image:v1')
  const view = await store.view('image:v1')
  const commit = await locked(store.root, async () => {
    assert.deepEqual((await isomorphicGit.log({ fs: view, dir })).map(({ oid }) => oid)[0], first)
    assert.deepEqual(await isomorphicGit.listFiles({ fs: view, dir }), await isomorphicGit.listFiles({ fs, dir }))
    assert.deepEqual(await addAll(fs), [])
    await isomorphicGit.checkout({ fs, dir, ref: 'topic' })
    await fs.promises.writeFile(`${dir}/topic.txt`, 'changed in the container\n')
    assert.deepEqual(await addAll(fs), ['topic.txt'])
    return isomorphicGit.commit({ fs, dir, message: 'by a guest', author })
  })
  assertSound(await exported(t, fs))
  await fs.commit({ tag: 'image:v2' })
  const next = await store.view('image:v2')
  const { blob } = await isomorphicGit.readBlob({ fs: next, dir, oid: commit, filepath: 'topic.txt' })
  assert.equal(Buffer.from(blob).toString(), 'changed in the container\n')
})

test('a clone through callbacks alone', async t => {
  const folder = scratchDir(t)
  makeProject(folder, 'project')
  const url = `${await serveGit(t, folder)}/project.git`
  const store = await scratchStore(t, { workers: 0 })
  const box = await store.create('scratch')
  const { promises: _, ...fs } = box
  await locked(store.root, () =>
    isomorphicGit.clone({ fs, http, dir, url, depth: 1, singleBranch: true, ref: 'topic' }),
  )
  const work = await exported(t, box)
  assertSound(work)
  assert.equal(git(work, 'log', '--format=%s'), 'topic')
})
