/** What dockerd, podman and skopeo make of our archives, and we of theirs. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { DockerArchiveTarget } from '../../src/archive/docker-archive-target.js'
import { OciArchiveTarget } from '../../src/archive/oci-archive-target.js'
import type { LayerTar } from '../../src/drivers/layer.js'
import type { Digest } from '../../src/oci/digest.js'
import { familiarName } from '../../src/oci/reference.js'
import { bytesOf, opened, scratch } from '../build/archive.js'
import { startDockerd } from '../build/dockerd.js'
import { digestOf, imageIdOf, layerTar, type MadeImage } from '../build/image.js'
import { storedImage } from '../build/stored-image.js'
import { dir, file, hardlink, symlink, tar } from '../build/tar.js'

const run = promisify(execFile)

const base = tar([
  dir('etc/'),
  file('etc/os-release', 'ID=test\n'),
  symlink('etc/link', 'os-release'),
  hardlink('etc/hard', 'etc/os-release'),
])
const upper = tar([dir('srv/'), file('srv/app', 'x'.repeat(100_000)), file('etc/.wh.hard')])
const step = (created_by: string) => ({ created: '2020-01-02T03:04:05Z', created_by })
const parent: MadeImage = { layers: [base], tags: ['base:1'], config: { history: [step('a')] } }
const app: MadeImage = {
  layers: [base, upper],
  tags: ['app:v1', 'localhost:5000/app:v2'],
  config: { history: [step('a'), step('b')] },
}
const twice: MadeImage = { layers: [base, upper, base], tags: ['twice:1'] }
const many: MadeImage = {
  layers: Array.from({ length: 120 }, (_, n) => layerTar({ [`f${n}`]: `${n}` })),
  tags: ['many:1'],
}
const all = [app, parent, twice, many]

/** Short, because the daemon's socket is in it. */
async function shortScratch(t: TestContext): Promise<string> {
  const path = await mkdtemp('/tmp/pa-')
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

async function dockerArchive(t: TestContext, images: readonly MadeImage[]): Promise<string> {
  const path = join(await scratch(t), 'out.tar')
  await new DockerArchiveTarget(path).write(images.map(image => storedImage(image, image === app ? parent : undefined)))
  return path
}

async function ociArchive(t: TestContext, images: readonly MadeImage[]): Promise<string> {
  const stage = await scratch(t)
  const gzipLayer = async (layer: LayerTar) => {
    const bytes = Buffer.alloc(layer.tarBytes)
    for (let at = 0; at < bytes.length; ) at += await layer.readTar(at, bytes.subarray(at))
    const zipped = gzipSync(bytes)
    const path = join(stage, layer.diffId)
    await writeFile(path, zipped)
    return { path, digest: digestOf(zipped) as Digest, sizeBytes: zipped.length }
  }
  const path = join(stage, 'out.tar')
  await new OciArchiveTarget(path, { gzipLayer }).write(images.map(image => storedImage(image)))
  return path
}

/** imageId → tags and the digests of the layers' bytes, uncompressed; read with our source. */
async function contentOf(t: TestContext, path: string): Promise<Record<string, object>> {
  const images = await (await opened(t, path)).images()
  const content: Record<string, object> = {}
  for (const { imageId, references, layers } of images) {
    const digests: string[] = []
    for (const { range } of layers) {
      const bytes = await bytesOf(range!)
      digests.push(digestOf(bytes[0] === 0x1f ? gunzipSync(bytes) : bytes))
    }
    content[imageId] = { tags: references.map(familiarName).sort(), layers: digests }
  }
  return content
}

const expected = (images: readonly MadeImage[]) =>
  Object.fromEntries(
    images.map(image => [
      imageIdOf(image),
      { tags: [...(image.tags ?? [])].sort(), layers: image.layers.map(digestOf) },
    ]),
  )

test('dockerd loads what we write, and we read what it saves then: ids, tags, parents, layers byte for byte', async t => {
  await using dockerd = await startDockerd(await shortScratch(t))
  const printed = await dockerd.docker('load', '-i', await dockerArchive(t, all))
  for (const tag of all.flatMap(({ tags = [] }) => tags)) assert.match(printed, new RegExp(`Loaded image: ${tag}\n`))
  for (const image of all) {
    const [inspected] = JSON.parse(await dockerd.docker('image', 'inspect', imageIdOf(image)))
    assert.deepEqual(inspected.RepoTags.sort(), [...(image.tags ?? [])].sort())
    assert.deepEqual(inspected.RootFS.Layers, image.layers.map(digestOf))
    assert.equal(inspected.Parent, image === app ? imageIdOf(parent) : '')
  }
  const saved = join(await scratch(t), 'saved.tar')
  await dockerd.docker('save', '-o', saved, ...all.flatMap(({ tags = [] }) => tags))
  assert.deepEqual(await contentOf(t, saved), expected(all))
  const source = await opened(t, saved)
  const child = (await source.images()).find(({ imageId }) => imageId === imageIdOf(app))
  assert.equal(child?.parent, imageIdOf(parent))
  await dockerd.docker('save', '-o', saved, imageIdOf(parent))
  assert.deepEqual(await contentOf(t, saved), expected([{ ...parent, tags: [] }]))
})

test('skopeo reads both kinds of archive, and we read what it makes of them', async t => {
  const docker = await dockerArchive(t, all)
  const oci = await ociArchive(t, all)
  for (const from of [`docker-archive:${docker}:app:v1`, `oci-archive:${oci}:app:v1`]) {
    const inspected = JSON.parse((await run('skopeo', ['inspect', '--config', from])).stdout)
    assert.deepEqual(inspected.rootfs.diff_ids, app.layers.map(digestOf), from)
    const out = await scratch(t)
    await run('skopeo', ['copy', '-q', from, `oci:${join(out, 'layout')}:app:v1`])
    await run('skopeo', ['copy', '-q', from, `oci-archive:${join(out, 'oci.tar')}:app:v1`])
    await run('skopeo', ['copy', '-q', from, `docker-archive:${join(out, 'docker.tar')}:app:v1`])
    const one = Object.values(expected([{ ...app, tags: ['app:v1'] }]))
    for (const name of ['layout', 'oci.tar', 'docker.tar'])
      assert.deepEqual(Object.values(await contentOf(t, join(out, name))), one, `${from} as ${name}`)
  }
})

test('podman loads both kinds of archive, and we read what it saves then', async t => {
  const storage = await shortScratch(t)
  const podman = async (...args: string[]) =>
    (
      await run('podman', [
        '--root',
        `${storage}/root`,
        '--runroot',
        `${storage}/run`,
        '--storage-driver',
        'vfs',
        ...args,
      ])
    ).stdout
  for (const path of [await dockerArchive(t, [app, parent]), await ociArchive(t, [parent])]) {
    await podman('load', '-q', '-i', path)
    const ids = (await podman('images', '-q', '--no-trunc')).split('\n')
    assert.ok(ids.includes(imageIdOf(parent)), path)
    const saved = join(await scratch(t), 'saved.tar')
    await podman('save', '-q', '-o', saved, imageIdOf(parent))
    assert.deepEqual(Object.keys(await contentOf(t, saved)), [imageIdOf(parent)])
    await podman('rmi', '--all', '--force')
  }
  await podman('load', '-q', '-i', await dockerArchive(t, [app]))
  const saved = join(await scratch(t), 'many.tar')
  await podman('save', '-q', '-m', '-o', saved, imageIdOf(app))
  assert.deepEqual(
    (Object.values(await contentOf(t, saved)) as { layers: string[] }[])[0]!.layers,
    app.layers.map(digestOf),
  )
})

test('GNU tar lists what we write without a word on standard error', async t => {
  const { stdout, stderr } = await run('tar', ['-tvf', await dockerArchive(t, [app])])
  assert.equal(stderr, '')
  assert.match(stdout, /^drwxr-xr-x 0\/0 +0 1970-01-01 .* blobs\/\n/)
  assert.ok((await readFile(await dockerArchive(t, [app]))).length % 512 === 0)
})
