/**
 * What dockerd builds, with either of its builders, on images that we have loaded and from scratch: we list, read, save and remove
 * it. What the newer one keeps in its cache is its own, and stays so.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { Store } from '../../src/index.js'
import { busyboxImage } from '../build/busybox.js'
import { linesOf } from '../build/cli.js'
import { DockerRoots } from '../build/docker-roots.js'
import { DockerTrees } from '../build/docker-trees.js'
import type { Dockerd } from '../build/dockerd.js'
import { listView, untimedPaths } from '../build/full-listing.js'
import { archiveOf, legacyArchive } from '../build/image.js'
import { listing } from '../build/stores.js'
import { dir, file, symlink, tar } from '../build/tar.js'

const roots = new DockerRoots()
const overlay2 = { driver: 'overlay2', workers: 1, durability: 'none' } as const
const builds: Readonly<Record<string, { readonly file: string; readonly network?: string }>> = {
  'copied:1': { file: 'FROM base:1\nCOPY one dir /srv/\nCOPY --chown=5:6 one /owned\n' },
  'added:1': { file: 'FROM base:1\nADD packed.tar /srv/\nADD one /srv/two\n' },
  'ran:1': { file: 'FROM base:1\nRUN echo r > /r && rm /etc/gone && chmod 700 /etc\nRUN ["/bin/mkdir", "/d"]\n' },
  'host:1': { file: 'FROM base:1\nRUN ls /sys/class/net > /nets\n', network: 'host' },
  'words:1': {
    file: 'FROM base:1\nENV A="b c" D=e\nLABEL x="<y> & z"\nWORKDIR /made/here\nEXPOSE 80/udp\nCMD one two\n',
  },
  'again:1': {
    file: 'FROM words:1\nARG W=1\nUSER 1\nRUN echo $W > /tmp/w\nENTRYPOINT ["/bin/sh"]\nONBUILD RUN false\n',
  },
  'staged:1': {
    file: 'FROM base:1 AS first\nRUN mkdir /out && echo out > /out/f\nFROM scratch\nCOPY --from=first /out /\nCOPY one /\n',
  },
  'scratch:1': { file: 'FROM scratch\nCOPY . /\nLABEL only=files\n' },
}
const tags = ['base:1', ...Object.keys(builds)]
let dockerd: Dockerd
let trees: DockerTrees

const root = () => roots.path('r')

async function stopped<T>(work: (store: Store) => Promise<T>): Promise<T> {
  await dockerd.stop()
  try {
    await using store = await Store.open(root(), overlay2)
    return await work(store)
  } finally {
    dockerd = await roots.start('r')
  }
}

before(async () => {
  const etc = tar([dir('etc/'), file('etc/gone', 'g'), file('etc/stays', 's')])
  writeFileSync(roots.path('base.tar'), archiveOf(legacyArchive([busyboxImage('base:1', [etc])])))
  {
    await using store = await Store.open(root(), overlay2)
    await store.load(roots.path('base.tar'))
  }
  mkdirSync(roots.path('context/dir'), { recursive: true })
  writeFileSync(roots.path('context/one'), 'one')
  writeFileSync(roots.path('context/dir/in'), 'in')
  const packed = tar([dir('p/', { mode: 0o711 }), file('p/f', 'f', { uid: 9 }), symlink('p/l', 'f')])
  writeFileSync(roots.path('context/packed.tar'), packed)
  dockerd = await roots.start('r')
  trees = new DockerTrees(dockerd, roots.path('m'))
  for (const [tag, { file, network = 'none' }] of Object.entries(builds)) {
    writeFileSync(roots.path('Dockerfile'), file)
    const words = ['build', '--network', network, '-t', tag, '-f', roots.path('Dockerfile'), roots.path('context')]
    await dockerd.docker(...words)
  }
})

test('the classic builder: images, all of them, and history are what docker says', async () => {
  const same = async (words: readonly string[]) => {
    const theirs = (await dockerd.docker(...words)).split('\n').slice(0, -1)
    assert.deepEqual((await linesOf(words, { root: root() })).sort(), theirs.sort(), words.join(' '))
  }
  await same(['images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}} {{.CreatedAt}}'])
  await same(['images', '-a', '--no-trunc', '--format', '{{.ID}} {{.Size}}'])
  for (const tag of tags) {
    const format = '{{.ID}}|{{.CreatedAt}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}'
    const words = ['history', '--no-trunc', '-H=false', '--format', format, tag]
    const theirs = await dockerd.docker(...words)
    assert.equal(`${(await linesOf(words, { root: root() })).join('\n')}\n`, theirs, tag)
  }
})

test('inspect is what docker prints, directories included', async () => {
  for (const tag of tags) {
    const [theirs] = JSON.parse(await dockerd.docker('image', 'inspect', tag))
    const ours = JSON.parse((await linesOf(['inspect', tag], { root: root() })).join('\n'))[0]
    assert.deepEqual(ours, theirs, tag)
    assert.deepEqual(Object.keys(ours.GraphDriver.Data), Object.keys(theirs.GraphDriver.Data))
  }
})

test('trees are what the kernel shows, and saved they are the same images', async () => {
  await using store = await Store.open(root(), { readOnly: true })
  for (const tag of tags) {
    const view = await store.view(tag)
    const untimed = untimedPaths(view)
    if (tag !== 'base:1') assert.deepEqual(listView(view, untimed), await trees.listImage(tag, untimed), tag)
    await view.close()
  }
  await store.save(tags, roots.path('ours.tar'))
  await dockerd.docker('save', '-o', roots.path('theirs.tar'), ...tags)
  const loaded = await Promise.all(
    ['ours', 'theirs'].map(async name => {
      await using packed = await Store.open(roots.path(`packed-${name}`), { workers: 1, durability: 'none' })
      const images = await packed.load(roots.path(`${name}.tar`))
      return images.map(({ id, tags }) => `${id} ${tags}`).sort()
    }),
  )
  assert.deepEqual(loaded[0], loaded[1])
})

test('rmi of what was built takes its parents along as docker does', async () => {
  const all = (await dockerd.docker('images', '-aq', '--no-trunc')).split('\n')
  await stopped(async store => {
    await store.remove('again:1')
    await store.remove('ran:1')
    await store.remove('copied:1')
  })
  const left = (await dockerd.docker('images', '-aq', '--no-trunc')).split('\n')
  // Three steps of again:1 above words:1 and a fourth; two of ran:1; two of copied:1.
  assert.equal(new Set(all).size - new Set(left).size, 5 + 2 + 2)
  assert.match(await dockerd.docker('run', '--rm', '--network', 'none', 'words:1', 'ls', '/made'), /^here\n$/)
})

const cacheFile = 'FROM base:1\nCOPY one /one\nRUN echo two > /two\nRUN mkdir /three\n'
const buildkit = (tag: string) =>
  dockerd.buildkit(
    'build',
    '--network',
    'none',
    '--progress',
    'plain',
    '-t',
    tag,
    '-f',
    roots.path('Bk'),
    roots.path('context'),
  )
/** How many steps were not done again. */
const cached = (told: string) => told.match(/ CACHED$/gm)?.length ?? 0
const directories = () => readdirSync(roots.path('r/overlay2')).filter(name => name !== 'l')
const cacheIds = () => {
  const layers = roots.path('r/image/overlay2/layerdb/sha256')
  return readdirSync(layers).map(chain => readFileSync(`${layers}/${chain}/cache-id`, 'utf8'))
}

test('BuildKit: what it built we list and read; rmi and gc leave its cache alone, and the next build uses it', async () => {
  writeFileSync(roots.path('Bk'), cacheFile)
  assert.equal(cached(await buildkit('kit:1')), 0)
  const inspected = await dockerd.docker('image', 'inspect', '-f', '{{json .RootFS.Layers}} {{.Size}}', 'kit:1')
  const its = directories().filter(name => /^[0-9a-z]{25}$/.test(name))
  // Three layers, and the build context at least.
  assert.ok(its.length > 3, String(its))
  const layers = its.filter(name => cacheIds().includes(name))
  assert.equal(layers.length, 3)
  const before = listing(roots.path('r/overlay2'))
  await stopped(async store => {
    const image = await store.image('kit:1')
    assert.equal(`${JSON.stringify(image?.layers.map(({ diffId }) => diffId))} ${image?.sizeBytes}\n`, inspected)
    const view = await store.view('kit:1')
    assert.equal(view.readFileSync('/two', 'utf8'), 'two\n')
    await view.close()
    const gone = await store.remove('kit:1')
    assert.deepEqual(
      gone.map(one => Object.keys(one)[0]),
      ['untagged', 'deleted'],
    )
    await store.remove('base:1', { force: true })
    await store.remove('added:1')
  })
  assert.deepEqual(
    its.filter(name => !directories().includes(name)),
    [],
  )
  assert.deepEqual(
    layers.filter(name => !cacheIds().includes(name)),
    [],
  )
  const untouched = (name: string) => its.some(id => name.startsWith(id))
  assert.deepEqual(listing(roots.path('r/overlay2')).filter(untouched), before.filter(untouched))
  await dockerd.docker('tag', 'words:1', 'base:1')
  await dockerd.docker('load', '-i', roots.path('base.tar'))
  assert.equal(cached(await buildkit('kit:2')), 3)
  assert.equal(await dockerd.docker('run', '--rm', '--network', 'none', 'kit:2', 'cat', '/one', '/two'), 'onetwo\n')
})
