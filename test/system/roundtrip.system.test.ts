/** Archives that we save, in other people's programs, and theirs in ours: the same ids, and every layer byte for byte. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { Store } from '../../src/index.js'
import { type Dockerd, startDockerd } from '../build/dockerd.js'
import { archiveOf, configOf, digestOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { readMembers } from '../build/members.js'
import { scratchStore } from '../build/store.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'

const exec = promisify(execFile)
// Short, because the daemon's socket is in it.
const scratch = mkdtempSync('/tmp/pr-')
const path = (name: string) => join(scratch, name)
const run = async (program: string, ...args: string[]) =>
  (await exec(program, args, { maxBuffer: 1 << 26, cwd: scratch })).stdout

const base = tar([
  dir('etc/'),
  file('etc/os-release', 'ID=test\n'),
  hardlink('etc/hard', 'etc/os-release'),
  symlink('l', 'etc'),
])
const upper = tar([dir('srv/'), file('srv/app', 'x'.repeat(300_000)), file('etc/.wh.hard'), file('ü', 'u')])
const images = {
  two: { layers: [base, upper], tags: ['two:v1', 'localhost:5000/team/two:v2', 'two:latest'] },
  empty: { layers: [base, Buffer.alloc(1024)], tags: ['empty:1'] },
  twice: { layers: [base, upper, base], tags: ['twice:1'] },
  none: { layers: [], tags: ['none:1'] },
  many: { layers: Array.from({ length: 130 }, (_, n) => layerTar({ [`f${n}`]: `${n}` })), tags: ['many:1'] },
} satisfies Record<string, MadeImage>
type Name = keyof typeof images
const names = Object.keys(images) as Name[]
/** dockerd has at most 125 layers. */
const forDocker = names.filter(name => name !== 'many')

let dockerd: Dockerd
let store: Store

before(async () => {
  dockerd = await startDockerd(path('d'))
  store = await Store.open(path('store'), { durability: 'none', workers: 1 })
  writeFileSync(path('made.tar'), archiveOf(legacyArchive(Object.values(images))))
  await store.load(path('made.tar'))
  for (const name of names)
    for (const format of ['docker-archive', 'oci-archive'] as const)
      await store.save(images[name].tags, path(`${name}.${format}`), { format })
})
after(async () => {
  await store.close()
  await dockerd.stop()
  rmSync(scratch, { recursive: true, force: true })
})

interface Held {
  readonly id: string
  readonly tags: readonly string[]
  /** diffId and sha256 of the bytes that the store gives out. */
  readonly layers: readonly string[]
}

const held = (image: MadeImage, tags: readonly string[] = image.tags ?? []): Held => ({
  id: imageIdOf(image),
  tags: [...tags].sort(),
  layers: image.layers.map(digestOf).flatMap(digest => [digest, digest]),
})

/** What a new store holds after loading. */
async function loaded(t: TestContext, from: string): Promise<Held[]> {
  const other = await scratchStore(t)
  const all = await other.load(from)
  const result: Held[] = []
  for (const { id, tags, layers } of all) {
    const digests: string[] = []
    for (const layer of layers) {
      const hash = createHash('sha256')
      for await (const chunk of await layer.openTar()) hash.update(chunk as Buffer)
      digests.push(layer.diffId, `sha256:${hash.digest('hex')}`)
    }
    result.push({ id, tags: [...tags].sort(), layers: digests })
  }
  await other.close()
  return result
}

const byId = (all: readonly Held[]) => [...all].sort((a, b) => (a.id < b.id ? -1 : 1))

for (const name of names)
  for (const format of ['docker-archive', 'oci-archive'])
    test(`our own: ${name} as ${format}`, async t => {
      assert.deepEqual(await loaded(t, path(`${name}.${format}`)), [held(images[name])])
    })

for (const name of forDocker)
  test(`docker load of what we save: ${name}`, async () => {
    const printed = await dockerd.docker('load', '-i', path(`${name}.docker-archive`))
    assert.deepEqual(printed.match(/(?<=Loaded image: ).*/g)?.sort(), [...images[name].tags].sort())
    const [inspected] = JSON.parse(await dockerd.docker('image', 'inspect', images[name].tags[0]!))
    assert.equal(inspected.Id, imageIdOf(images[name]))
    assert.deepEqual(inspected.RootFS.Layers ?? [], images[name].layers.map(digestOf))
  })

test('docker refuses 130 layers, ours and its own alike', async () => {
  writeFileSync(path('theirs.tar'), archiveOf(legacyArchive([images.many])))
  for (const archive of ['many.docker-archive', 'theirs.tar'])
    await assert.rejects(dockerd.docker('load', '-i', path(archive)), /max depth exceeded/, archive)
})

test('docker load of all of them in one archive, then docker save, then ours again', async t => {
  const together = path('together.tar')
  await store.save(
    forDocker.flatMap(name => images[name].tags),
    together,
  )
  await dockerd.docker('rmi', '-f', ...forDocker.map(name => imageIdOf(images[name])))
  await dockerd.docker('load', '-i', together)
  const saveable = forDocker.filter(name => name !== 'none')
  const saved = path('saved.tar')
  await dockerd.docker('save', '-o', saved, ...saveable.flatMap(name => images[name].tags))
  assert.deepEqual(byId(await loaded(t, saved)), byId(saveable.map(name => held(images[name]))))
  await dockerd.docker('save', '-o', saved, imageIdOf(images.twice))
  assert.deepEqual(await loaded(t, saved), [held(images.twice, [])])
  // An image without layers is one that docker has, and cannot save.
  await assert.rejects(dockerd.docker('save', '-o', saved, 'none:1'), /empty export/)
})

test('an image that docker made from ours, with its own layer on top', async t => {
  await dockerd.docker('load', '-i', path('two.docker-archive'))
  const container = (await dockerd.docker('create', 'two:v1', 'nothing')).trim()
  await dockerd.docker('cp', path('two.docker-archive'), `${container}:/srv/archive.tar`)
  const id = (await dockerd.docker('commit', container, 'made:1')).trim()
  const saved = path('made-by-docker.tar')
  await dockerd.docker('save', '-o', saved, 'made:1')
  const [image] = await loaded(t, saved)
  assert.equal(image!.id, id)
  const diffIds = JSON.parse(await dockerd.docker('inspect', '-f', '{{json .RootFS.Layers}}', 'made:1')) as string[]
  assert.deepEqual(
    image!.layers,
    diffIds.flatMap(digest => [digest, digest]),
  )
  assert.deepEqual(diffIds.slice(0, 2), images.two.layers.map(digestOf))
  await dockerd.docker('rm', container)
})

const podman = (...args: string[]) =>
  run('podman', '--root', path('podman'), '--runroot', path('podman-run'), '--storage-driver', 'vfs', ...args)

/** A copy of another program: the image that it says it wrote, our layers in it; docker's and OCI's configs are written anew. */
async function assertCopy(
  t: TestContext,
  out: string,
  kind: string,
  image: MadeImage,
  sameConfig: boolean,
): Promise<void> {
  const config = await skopeo('inspect', '--config', '--raw', `${kind}:${out}`)
  const [back, ...more] = await loaded(t, out.replace(/:copy:1$/, ''))
  assert.deepEqual([back?.id, back?.layers, more], [digestOf(Buffer.from(config)), held(image).layers, []], out)
  if (sameConfig) assert.equal(back?.id, imageIdOf(image), out)
}

test('podman loads both kinds of archive, and what it saves is the same in ours', async t => {
  for (const name of ['two', 'empty', 'twice'] as const)
    for (const format of ['docker-archive', 'oci-archive']) {
      // podman 4 loads an OCI archive of one name alone, whoever wrote it.
      const image = { ...images[name], tags: images[name].tags.slice(0, format === 'oci-archive' ? 1 : undefined) }
      const archive = path(`podman-${name}.${format}`)
      await store.save(image.tags, archive, { format: format as 'oci-archive' })
      await podman('load', '-q', '-i', archive)
      const [inspected] = JSON.parse(await podman('image', 'inspect', imageIdOf(image).slice(7)))
      assert.equal(`sha256:${inspected.Id}`, imageIdOf(image), `${name} ${format}`)
      assert.deepEqual(inspected.RootFS.Layers, image.layers.map(digestOf))
      for (const tag of image.tags)
        assert.ok(
          inspected.RepoTags.some((seen: string) => seen.endsWith(`/${tag}`) || seen === tag),
          `${tag} ${format}`,
        )
      for (const [saved, kind] of [
        ['docker-archive', 'docker-archive'],
        ['oci-archive', 'oci-archive'],
        ['oci-dir', 'oci'],
      ] as const) {
        const out = path(`podman-${name}-${format}.${saved}`)
        await podman('save', '-q', '--format', saved, '-o', out, imageIdOf(image).slice(7))
        await assertCopy(t, out, kind, image, format.slice(0, 3) === kind.slice(0, 3))
      }
      await podman('rmi', '-a', '-f')
    }
})

const skopeo = (...args: string[]) => run('skopeo', ...args)

test('skopeo reads both kinds of archive, and its copies of any kind are the same in ours', async t => {
  for (const name of ['two', 'empty', 'twice', 'many'] as const)
    for (const format of ['docker-archive', 'oci-archive']) {
      const image = images[name]
      const from = `${format}:${path(`${name}.${format}`)}:${image.tags[0]}`
      const config = await skopeo('inspect', '--config', '--raw', from)
      assert.equal(digestOf(Buffer.from(config)), imageIdOf(image), from)
      const copies: readonly (readonly [string, ...string[]])[] = [
        ['docker-archive', 'docker.tar:copy:1'],
        ['oci-archive', 'oci.tar:copy:1'],
        ['oci', 'layout:copy:1'],
        ['oci-archive', 'zstd.tar:copy:1', '--dest-compress-format', 'zstd', '--dest-compress-level', '3'],
        ['oci', 'zstd-layout:copy:1', '--dest-compress-format', 'zstd'],
      ]
      for (const [kind, to, ...options] of name === 'many' ? copies.slice(0, 2) : copies) {
        const out = path(`skopeo-${name}-${format}-${to}`)
        await skopeo('copy', '-q', ...options, from, `${kind}:${out}`)
        await assertCopy(t, out, kind!, image, format.slice(0, 3) === kind!.slice(0, 3))
      }
    }
})

test('what skopeo packs with zstd is zstd', async () => {
  await skopeo(
    'copy',
    '-q',
    '--dest-compress-format',
    'zstd',
    `docker-archive:${path('two.docker-archive')}:two:v1`,
    `oci-archive:${path('z.tar')}`,
  )
  const members = await readMembers(readFileSync(path('z.tar')))
  const packed = [...members.values()].filter(({ body }) => body.length > 4 && body.readUInt32LE(0) === 0xfd2fb528)
  assert.equal(packed.length, 2)
})

test('umoci unpacks what we save, and a layout that umoci made is the same in ours', async t => {
  await run('tar', '-xf', path('two.oci-archive'), '--one-top-level=ours')
  const bundle = path('bundle')
  await run('umoci', 'unpack', '--image', `${path('ours')}:two:v1`, bundle)
  assert.equal(readFileSync(join(bundle, 'rootfs/etc/os-release'), 'utf8'), 'ID=test\n')
  assert.throws(() => readFileSync(join(bundle, 'rootfs/etc/hard')), /ENOENT/)
  // Their own: a base made from a tree, and changes to it packed as a second layer.
  const [layout, made] = [path('umoci'), path('made')]
  await run('umoci', 'init', '--layout', layout)
  await run('umoci', 'new', '--image', `${layout}:made`)
  for (const [name, text] of [
    ['one', 'first'],
    ['two', 'second'],
  ]) {
    rmSync(made, { recursive: true, force: true })
    await run('umoci', 'unpack', '--image', `${layout}:made`, made)
    rmSync(join(made, 'rootfs/one'), { force: true })
    writeFileSync(join(made, 'rootfs', name!), text!)
    await run('umoci', 'repack', '--image', `${layout}:made`, made)
  }
  const config = await skopeo('inspect', '--config', '--raw', `oci:${layout}:made`)
  const diffIds = (JSON.parse(config) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids
  const [image] = await loaded(t, layout)
  assert.deepEqual(
    [image!.id, image!.layers],
    [digestOf(Buffer.from(config)), diffIds.flatMap(digest => [digest, digest])],
  )
  assert.equal(diffIds.length, 2)
})

test('the same layers and config, whatever way an image came: one image, one copy', async t => {
  const other = await scratchStore(t)
  for (const archive of ['two.docker-archive', 'two.oci-archive', 'together.tar', 'made.tar'].map(path))
    await other.load(archive)
  assert.equal((await other.images()).length, names.length)
  const image = await other.image('two:v1')
  assert.deepEqual(image!.configBytes, configOf(images.two))
})
