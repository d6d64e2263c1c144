/** What we wrote runs: `docker run` reads and writes our layers, commits on them, and takes all away again; on a tmpfs. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { Store } from '../../src/index.js'
import { busyboxImage } from '../build/busybox.js'
import { remains } from '../build/docker-root.js'
import { DockerRoots } from '../build/docker-roots.js'
import type { Dockerd } from '../build/dockerd.js'
import { archiveOf, imageIdOf, legacyArchive } from '../build/image.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'

const roots = new DockerRoots()
const overlay2 = { driver: 'overlay2', workers: 1, durability: 'none' } as const
const image = busyboxImage('app:v1', [
  tar([
    dir('etc/', { mode: 0o750, uid: 3, gid: 4 }),
    file('etc/os-release', 'ID=test\n', { uid: 5, mode: 0o640 }),
    hardlink('etc/hard', 'etc/os-release', { uid: 5, mode: 0o640 }),
    symlink('release', 'etc/os-release'),
    dir('old/'),
    file('old/one', '1'),
    file('gone', 'g'),
  ]),
  tar([file('.wh.gone'), dir('old/'), file('old/.wh..wh..opq'), file('old/two', '2')]),
])
let dockerd: Dockerd

const shell = (tag: string, script: string, ...options: readonly string[]) =>
  dockerd.docker('run', '--rm', '--network', 'host', ...options, tag, 'sh', '-ec', script)

before(async () => {
  writeFileSync(roots.path('app.tar'), archiveOf(legacyArchive([image])))
  await using store = await Store.open(roots.path('r'), overlay2)
  assert.equal((await store.load(roots.path('app.tar')))[0]?.id, imageIdOf(image))
  dockerd = await roots.start('r')
})

test('a process of a container sees our layers: contents, owners, links, whiteouts, opaque directories', async () => {
  const script = 'cat /release /etc/hard; stat -c "%n %a %u:%g %h" /etc /etc/os-release; ls / /old'
  const told = (await shell('app:v1', script)).split('\n')
  assert.deepEqual(told.slice(0, 4), ['ID=test', 'ID=test', '/etc 750 3:4 1', '/etc/os-release 640 5:0 2'])
  assert.deepEqual(told.slice(told.indexOf('/old:')), ['/old:', 'two', ''])
  assert.equal(told.includes('gone'), false)
})

test('what it writes is in its commit, for us and for a second run', async () => {
  const script = [
    'cat /etc/os-release > /copied; echo more >> /etc/os-release; chown 7:8 /old/two; rm -r /etc/hard /old/two',
    'mkdir -p /made/deep; echo d > /made/deep/file; ln -s deep /made/link; ln /made/deep/file /made/hard; chmod 4711 /copied',
    'rm -r /tmp; mkdir /tmp; echo t > /tmp/new',
  ].join('\n')
  await dockerd.docker('run', '--network', 'none', '--name', 'box', 'app:v1', 'sh', '-ec', script)
  const id = (await dockerd.docker('commit', 'box', 'app:v2')).trim()
  assert.equal(await shell('app:v2', 'cat /copied /made/link/file /tmp/new'), 'ID=test\nd\nt\n')
  await using store = await Store.open(roots.path('r'), { readOnly: true })
  const view = await store.view('app:v2')
  assert.equal((await store.image('app:v2'))?.id, id)
  assert.equal(view.readFileSync('/etc/os-release', 'utf8'), 'ID=test\nmore\n')
  assert.deepEqual(view.readdirSync('/old'), [])
  assert.deepEqual(view.readdirSync('/tmp'), ['new'])
  assert.equal(view.statSync('/copied').mode & 0o7777, 0o4711)
  assert.equal(view.statSync('/made/hard').ino, view.statSync('/made/deep/file').ino)
  assert.equal(view.existsSync('/etc/hard'), false)
  await view.close()
})

test('what we commit on top of that runs as well', async () => {
  await dockerd.stop()
  {
    await using store = await Store.open(roots.path('r'), overlay2)
    const box = await store.create('app:v2')
    box.writeFileSync('/bin/hello', '#!/bin/sh\necho hello of $1\n', { mode: 0o755 })
    box.rmSync('/made', { recursive: true })
    box.mkdirSync('/made')
    await box.commit({ tag: 'app:v3', changes: ['ENTRYPOINT ["/bin/hello"]', 'CMD ["us"]'] })
    await box.remove()
  }
  dockerd = await roots.start('r')
  assert.equal(await dockerd.docker('run', '--rm', '--network', 'none', 'app:v3'), 'hello of us\n')
  const told = await dockerd.docker('run', '--rm', '--network', 'none', '--entrypoint', '/bin/ls', 'app:v3', '/made')
  assert.equal(told, '')
})

test('after docker rmi of everything the root is empty', async () => {
  await dockerd.docker('rm', 'box')
  await dockerd.docker('rmi', 'app:v3', 'app:v2', 'app:v1')
  await dockerd.stop()
  assert.deepEqual(remains(roots.path('r')), [])
  assert.deepEqual(readdirSync(roots.path('r/phyllo/intents')), [])
})

test('and after ours of what a dockerd has loaded, run and committed', async () => {
  dockerd = await roots.start('theirs')
  await dockerd.docker('load', '-i', roots.path('app.tar'))
  mkdirSync(roots.path('in'))
  writeFileSync(roots.path('in/new'), 'n')
  await dockerd.docker('run', '--network', 'none', '--name', 'box', 'app:v1', 'sh', '-c', 'echo of a run > /new')
  await dockerd.docker('commit', 'box', 'app:v2')
  await dockerd.docker('rm', 'box')
  await dockerd.stop()
  await using store = await Store.open(roots.path('theirs'), overlay2)
  const gone = [...(await store.remove('app:v2')), ...(await store.remove('app:v1'))]
  assert.equal(gone.filter(one => 'deleted' in one).length, 2 + image.layers.length + 1)
  assert.deepEqual(remains(roots.path('theirs')), [])
})
