import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { defaultLimits } from '../../src/limits.js'
import { hostPlatform } from '../../src/oci/platform.js'
import { imagesIn, opened, scratch, summaryOf } from '../build/archive.js'
import {
  archiveOf,
  digestOf,
  imageIdOf,
  jsonBytes,
  Layout,
  layerTar,
  layOut,
  type MadeImage,
  type Members,
  named,
  ociTypes,
  sha256,
} from '../build/image.js'

const base = layerTar({ 'etc/os-release': 'ID=test\n' })
const upper = layerTar({ 'srv/app': 'two' })
const app: MadeImage = { layers: [base, upper] }
const host = hostPlatform()
const otherArchitecture = host.architecture === 's390x' ? 'riscv64' : 's390x'
const foreign: MadeImage = { layers: [upper], config: { architecture: otherArchitecture } }
const ours: MadeImage = { layers: [base], config: { architecture: host.architecture, variant: host.variant } }
const platformHere = { os: 'linux', architecture: host.architecture, ...(host.variant && { variant: host.variant }) }
const platformElsewhere = { os: 'linux', architecture: otherArchitecture }

const idsOf = (images: readonly { imageId: string }[]) => images.map(({ imageId }) => imageId)

/** The same members as a directory and as an archive must give the same. */
async function bothWays(t: TestContext, members: Members, platform?: string): Promise<object[]> {
  const options = platform === undefined ? {} : { platform }
  const path = await scratch(t)
  await layOut(members, path)
  const fromDirectory = await summaryOf(await (await opened(t, path, options)).images())
  assert.deepEqual(await summaryOf(await imagesIn(t, archiveOf(members), options)), fromDirectory)
  return fromDirectory
}

test('an image with gzip layers, from a directory and from an archive; ranges carry digest and size', async t => {
  const layout = new Layout()
  const pack = (layer: Buffer) => gzipSync(layer)
  const members = layout.done([named(layout.image(app, pack, ociTypes.gzip), 'app:v1')])
  assert.deepEqual(await bothWays(t, members), [
    {
      imageId: imageIdOf(app),
      config: imageIdOf(app),
      tags: ['app:v1'],
      diffIds: app.layers.map(digestOf),
      bytes: app.layers.map(layer => digestOf(pack(layer))),
    },
  ])
  const [image] = await imagesIn(t, archiveOf(members))
  assert.deepEqual(
    image!.layers.map(({ digest }) => digest),
    app.layers.map(layer => digestOf(pack(layer))),
  )
})

test("Docker's media types are taken", async t => {
  const layout = new Layout()
  const docker = 'application/vnd.docker.distribution.manifest.v2+json'
  const manifest = layout.blob(
    jsonBytes({
      schemaVersion: 2,
      mediaType: docker,
      config: {
        ...layout.blob(Buffer.from(JSON.stringify(configWith(app))), 'application/vnd.docker.container.image.v1+json'),
      },
      layers: app.layers.map(layer =>
        layout.blob(gzipSync(layer), 'application/vnd.docker.image.rootfs.diff.tar.gzip'),
      ),
    }),
    docker,
  )
  assert.equal((await bothWays(t, layout.done([manifest]))).length, 1)
})

function configWith({ layers }: MadeImage): object {
  return { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: layers.map(digestOf) } }
}

const containerd = 'io.containerd.image.name'
const refName = 'org.opencontainers.image.ref.name'
const names: readonly [Record<string, string>, string[]][] = [
  [{ [refName]: 'app:v1' }, ['app:v1']],
  [{ [refName]: 'docker.io/library/app:v1' }, ['app:v1']],
  [{ [refName]: 'localhost:5000/x/y:1' }, ['localhost:5000/x/y:1']],
  [{ [refName]: 'v1' }, []],
  [{ [refName]: 'localhost:5000/x/y' }, []],
  [{ [refName]: 'v1', [containerd]: 'docker.io/library/app:v1' }, ['app:v1']],
  [{ [refName]: `app:v1@${digestOf(base)}` }, []],
  [{}, []],
]

test('references from annotations: a whole name counts, a bare tag names nothing', async t => {
  for (const [annotations, tags] of names) {
    const layout = new Layout()
    const members = layout.done([{ ...layout.image(app), annotations }])
    const [image] = (await summaryOf(await imagesIn(t, archiveOf(members)))) as { tags: string[] }[]
    assert.deepEqual(image!.tags, tags, JSON.stringify(annotations))
  }
})

test('A21: annotations that look like references and are none', async t => {
  for (const annotations of [{ [refName]: '../../x:1' }, { [refName]: 'a:b\n' }, { [containerd]: '../x' }]) {
    const layout = new Layout()
    const members = layout.done([{ ...layout.image(app), annotations }])
    await assert.rejects(imagesIn(t, archiveOf(members)), {
      code: 'REFERENCE_INVALID',
      message: /test\.tar: annotation/,
    })
  }
})

test('one image under several names is one image with several tags', async t => {
  const layout = new Layout()
  const image = layout.image(app)
  const members = layout.done([named(image, 'app:v1'), named(image, 'app:v2'), named(layout.image(ours), 'o:1')])
  const found = (await bothWays(t, members)) as { tags: string[] }[]
  assert.deepEqual(
    found.map(({ tags }) => tags),
    [['app:v1', 'app:v2'], ['o:1']],
  )
})

test('platforms: a single manifest is taken whatever it is; of several the host’s; or the one asked for', async t => {
  const layout = new Layout()
  const single = layout.done([{ ...layout.image(foreign), platform: platformElsewhere }])
  assert.equal((await bothWays(t, single)).length, 1)

  for (const nested of [false, true]) {
    const two = new Layout()
    const entries = [
      { ...two.image(foreign), platform: platformElsewhere },
      { ...two.image(ours), platform: platformHere },
    ]
    const members = two.done(nested ? [named(two.index(entries), 'm:1')] : entries)
    assert.deepEqual(idsOf((await bothWays(t, members)) as never), [imageIdOf(ours)])
    assert.deepEqual(idsOf((await bothWays(t, members, `linux/${otherArchitecture}`)) as never), [imageIdOf(foreign)])
    await assert.rejects(imagesIn(t, archiveOf(members), { platform: 'windows/amd64' }), {
      code: 'PLATFORM_NOT_FOUND',
      message: new RegExp(`windows/amd64.*linux/${otherArchitecture}`),
    })
  }
})

test('platforms: none for this host is an error that lists what is there', async t => {
  const layout = new Layout()
  const second: MadeImage = { layers: [base, upper], config: { os: 'windows', architecture: 'amd64' } }
  const members = layout.done([
    layout.index([
      { ...layout.image(foreign), platform: platformElsewhere },
      { ...layout.image(second), platform: { os: 'windows', architecture: 'amd64' } },
    ]),
  ])
  await assert.rejects(imagesIn(t, archiveOf(members)), (error: Error & { code?: string; available?: string[] }) => {
    assert.equal(error.code, 'PLATFORM_NOT_FOUND')
    assert.deepEqual(error.available, [`linux/${otherArchitecture}`, 'windows/amd64'])
    return true
  })
})

test('platforms: where descriptors name none, the configs do', async t => {
  const layout = new Layout()
  const members = layout.done([layout.index([layout.image(foreign), layout.image(ours)])])
  assert.deepEqual(idsOf((await bothWays(t, members)) as never), [imageIdOf(ours)])
  assert.deepEqual(idsOf((await bothWays(t, members, `linux/${otherArchitecture}`)) as never), [imageIdOf(foreign)])
})

test('an index that offers one image leaves no choice; attestations do not count', async t => {
  const layout = new Layout()
  const attestation = {
    ...layout.blob(jsonBytes({ schemaVersion: 2 }), ociTypes.manifest),
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
  }
  const members = layout.done([
    named(layout.index([{ ...layout.image(foreign), platform: platformElsewhere }, attestation]), 'x:1'),
  ])
  assert.deepEqual(idsOf((await bothWays(t, members)) as never), [imageIdOf(foreign)])
})

test('an index that names more than was saved with it: what is there counts', async t => {
  const layout = new Layout()
  const absent = {
    mediaType: ociTypes.manifest,
    digest: digestOf(Buffer.from('absent')),
    size: 6,
    platform: platformElsewhere,
  }
  const members = layout.done([layout.index([absent, { ...layout.image(ours), platform: platformHere }])])
  assert.deepEqual(idsOf((await bothWays(t, members)) as never), [imageIdOf(ours)])
})

test('artifacts are passed over; a layout of nothing else is an error that says what it holds', async t => {
  const layout = new Layout()
  const manifest = (config: object, layers: object[]) =>
    layout.blob(jsonBytes({ schemaVersion: 2, mediaType: ociTypes.manifest, config, layers }), ociTypes.manifest)
  const chart = manifest(layout.blob(Buffer.from('{}'), 'application/vnd.cncf.helm.config.v1+json'), [])
  const signature = manifest(layout.blob(jsonBytes(configWith(app)), ociTypes.config), [
    layout.blob(Buffer.from('{}'), 'application/vnd.dev.cosign.simplesigning.v1+json'),
  ])
  await assert.rejects(imagesIn(t, archiveOf(layout.done([chart, signature]))), {
    code: 'ARCHIVE_INVALID',
    message: /leads to no image: .*helm\.config.*simplesigning/,
  })
  assert.equal((await bothWays(t, layout.done([chart, layout.image(app), signature]))).length, 1)
})

test('nested indexes up to the limit', async t => {
  const nest = (depth: number): Members => {
    const layout = new Layout()
    let blob = layout.image(ours)
    for (let level = 1; level < depth; level++) blob = layout.index([blob])
    return layout.done([blob])
  }
  assert.equal((await bothWays(t, nest(8))).length, 1)
  await assert.rejects(imagesIn(t, archiveOf(nest(9))), { code: 'LIMIT_EXCEEDED', limit: 'indexDepth' })
})

test('F9: an index with more entries than the limit', async t => {
  const layout = new Layout()
  const image = layout.image(app)
  const members = layout.done(Array.from({ length: 20 }, () => image))
  const limits = { ...defaultLimits, archiveMembers: 19 }
  await assert.rejects(imagesIn(t, archiveOf(members), { limits }), { code: 'LIMIT_EXCEEDED', limit: 'archiveMembers' })
})

/** Members of app, changed by `change`. */
function lying(change: (members: Members, manifest: Record<string, unknown>) => void): Buffer {
  const layout = new Layout()
  const manifest = layout.image(app)
  const document = JSON.parse(String(layout.members.get(`blobs/${manifest.digest.replace(':', '/')}`)))
  change(layout.members, document)
  return archiveOf(layout.done([layout.blob(jsonBytes(document), ociTypes.manifest)]))
}

const layerMember = `blobs/sha256/${sha256(upper)}`
const lies: readonly [string, Buffer, object][] = [
  [
    'F1: a digest that is a path',
    lying((_, m) => ((m.config as { digest: string }).digest = 'sha256:../../etc/passwd')),
    { code: 'DIGEST_SYNTAX' },
  ],
  ['F2: an index and a manifest at once', lying((_, m) => void (m.manifests = [])), { code: 'MANIFEST_AMBIGUOUS' }],
  [
    'F4: layers are not as many as diff_ids',
    lying((_, m) => void (m.layers as unknown[]).pop()),
    { code: 'MANIFEST_INVALID', expected: 1, seen: 2 },
  ],
  [
    'F5: the config’s bytes are others',
    lying(members =>
      members.set(`blobs/sha256/${imageIdOf(app).slice(7)}`, Buffer.alloc(JSON.stringify(configOf()).length)),
    ),
    { code: 'DIGEST_MISMATCH' },
  ],
  [
    'F6: embedded data that is not what the digest says',
    lying((_, m) => ((m.config as { data: string }).data = 'AAAA')),
    { code: 'SIZE_MISMATCH' },
  ],
  [
    'E7: a layer longer than its descriptor says',
    lying(members => members.set(layerMember, Buffer.concat([upper, Buffer.alloc(1)]))),
    { code: 'SIZE_MISMATCH', member: layerMember, expected: upper.length, seen: upper.length + 1 },
  ],
  [
    'E7: a layer shorter than its descriptor says',
    lying(members => members.set(layerMember, upper.subarray(1))),
    { code: 'SIZE_MISMATCH', member: layerMember },
  ],
  [
    'E7: a config longer than its descriptor says',
    lying((_, m) => ((m.config as { size: number }).size = 7)),
    { code: 'SIZE_MISMATCH' },
  ],
  ['E7: a negative size', lying((_, m) => ((m.config as { size: number }).size = -1)), { code: 'MANIFEST_INVALID' }],
  [
    'a config over the limit by its descriptor',
    lying((_, m) => ((m.config as { size: number }).size = 2 ** 40)),
    { code: 'LIMIT_EXCEEDED', limit: 'jsonBytes' },
  ],
]

function configOf(): object {
  return {
    architecture: 'amd64',
    os: 'linux',
    created: '2020-01-02T03:04:05Z',
    rootfs: { type: 'layers', diff_ids: app.layers.map(digestOf) },
  }
}

for (const [name, archive, error] of lies) {
  test(`refused: ${name}`, async t => {
    await assert.rejects(imagesIn(t, archive), error)
  })
}

test('F10: a layer that is elsewhere has no range; its urls are not looked at', async t => {
  const archive = lying((members, m) => {
    members.delete(layerMember)
    const layers = m.layers as Record<string, unknown>[]
    layers[1] = {
      ...layers[1],
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      urls: ['http://169.254.169.254/'],
    }
  })
  const [image] = await imagesIn(t, archive)
  assert.deepEqual(
    image!.layers.map(({ range }) => range !== undefined),
    [true, false],
  )
})

test('oci-layout: missing, of another version, no JSON', async t => {
  for (const [body, error] of [
    [undefined, { code: 'ARCHIVE_INVALID', message: /oci-layout: is not there/ }],
    [
      '{"imageLayoutVersion":"2.0.0"}',
      { code: 'ARCHIVE_INVALID', message: /imageLayoutVersion is 2\.0\.0, not 1\.0\.0/ },
    ],
    ['{}', { code: 'ARCHIVE_INVALID', message: /imageLayoutVersion is missing/ }],
    ['{', { code: 'MANIFEST_INVALID' }],
  ] as const) {
    const layout = new Layout()
    const members = layout.done([layout.image(app)])
    if (body === undefined) members.delete('oci-layout')
    else members.set('oci-layout', Buffer.from(body))
    await assert.rejects(imagesIn(t, archiveOf(members)), error)
  }
})

test('A20: blobs of a directory that are a symlink, a fifo, a directory, a huge sparse file', async t => {
  const kinds: Record<string, (path: string) => Promise<unknown>> = {
    symlink: path => symlink('/etc/hostname', path),
    fifo: async path => execFileSync('mkfifo', [path]),
    directory: path => mkdir(path),
  }
  for (const [kind, make] of Object.entries(kinds)) {
    for (const victim of [layerMember, 'index.json', `blobs/sha256/${imageIdOf(app).slice(7)}`]) {
      const path = join(await scratch(t), 'layout')
      const layout = new Layout()
      await layOut(layout.done([layout.image(app)]), path)
      await rm(join(path, victim))
      await make(join(path, victim))
      const source = await opened(t, path)
      await assert.rejects(
        source.images(),
        { code: 'ARCHIVE_INVALID', message: /not a regular file/ },
        `${kind} ${victim}`,
      )
    }
  }
  for (const [victim, error] of [
    [layerMember, { code: 'SIZE_MISMATCH', seen: 2 ** 40 }],
    ['index.json', { code: 'LIMIT_EXCEEDED', limit: 'jsonBytes' }],
  ] as const) {
    const path = join(await scratch(t), 'layout')
    const layout = new Layout()
    await layOut(layout.done([layout.image(app)]), path)
    await truncate(join(path, victim), 2 ** 40)
    await assert.rejects((await opened(t, path)).images(), error)
  }
})

test('a directory that is no layout', async t => {
  const path = await scratch(t)
  await writeFile(join(path, 'manifest.json'), '[]')
  await assert.rejects((await opened(t, path)).images(), {
    code: 'ARCHIVE_INVALID',
    message: /holds no image: no index\.json is there; it begins with manifest\.json/,
  })
})
