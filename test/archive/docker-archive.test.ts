import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { defaultLimits } from '../../src/limits.js'
import { imagesIn, summaryOf } from '../build/archive.js'
import {
  archiveOf,
  blobArchive,
  configOf,
  digestOf,
  imageIdOf,
  jsonBytes,
  layerTar,
  legacyArchive,
  type MadeImage,
  type Members,
  sha256,
} from '../build/image.js'
import { dir, fifo, file, hardlink, symlink, tar } from '../build/tar.js'

const base = layerTar({ 'etc/os-release': 'ID=test\n', 'bin/sh': 'sh' })
const middle = layerTar({ 'srv/app': 'one' })
const upper = layerTar({ 'srv/app': 'two', 'srv/more': 'x'.repeat(3000) })
const app: MadeImage = { layers: [base, middle, upper], tags: ['app:v1'] }

const expected = (image: MadeImage) => ({
  imageId: imageIdOf(image),
  config: imageIdOf(image),
  tags: image.tags ?? [],
  diffIds: image.layers.map(digestOf),
  bytes: image.layers.map(digestOf),
})

function edited(members: Members, edit: (items: Record<string, unknown>[]) => unknown): Buffer {
  const items = JSON.parse(String(members.get('manifest.json')))
  members.set('manifest.json', jsonBytes(edit(items) ?? items))
  return archiveOf(members)
}

for (const [layout, make] of [
  ['legacy', legacyArchive],
  ['OCI-compatible', blobArchive],
] as const) {
  test(`${layout} layout: one image, its layers at their ranges`, async t => {
    assert.deepEqual(await summaryOf(await imagesIn(t, archiveOf(make([app])))), [expected(app)])
  })

  test(`${layout} layout: several images, several tags, an image without tags, shared layers`, async t => {
    const images: MadeImage[] = [
      { layers: [base], tags: ['base:latest', 'localhost:5000/team/base:1.0'] },
      { layers: [base, upper], tags: ['app:v2'] },
      { layers: [base, middle] },
    ]
    assert.deepEqual(await summaryOf(await imagesIn(t, archiveOf(make(images)))), images.map(expected))
  })

  test(`${layout} layout: the same layer twice, the empty layer, no layers at all, 130 layers`, async t => {
    const empty = Buffer.alloc(1024)
    const many = Array.from({ length: 130 }, (_, n) => layerTar({ [`f${n}`]: `${n}` }))
    const images: MadeImage[] = [
      { layers: [base, middle, base] },
      { layers: [empty] },
      { layers: [] },
      { layers: many },
    ]
    assert.deepEqual(await summaryOf(await imagesIn(t, archiveOf(make(images)))), images.map(expected))
  })
}

test('one member gives one range object, so that a job serves all who ask for it', async t => {
  const [image] = await imagesIn(t, archiveOf(legacyArchive([{ layers: [base, middle, base] }])))
  assert.equal(image!.layers[0]!.range, image!.layers[2]!.range)
  assert.notEqual(image!.layers[0]!.range, image!.layers[1]!.range)
})

test('compressed layers (Docker 29 with the containerd store): the range is the compressed member', async t => {
  const images = await imagesIn(t, archiveOf(blobArchive([app], layer => gzipSync(layer))))
  const [summary] = (await summaryOf(images)) as { bytes: string[]; diffIds: string[] }[]
  assert.deepEqual(summary!.diffIds, app.layers.map(digestOf))
  assert.deepEqual(
    summary!.bytes,
    app.layers.map(layer => digestOf(gzipSync(layer))),
  )
})

test('the config may have any name; its bytes are the id', async t => {
  const members = legacyArchive([app])
  members.set('some/where', configOf(app))
  const archive = edited(members, ([item]) => void (item!.Config = './some//where'))
  assert.deepEqual(await summaryOf(await imagesIn(t, archive)), [expected(app)])
})

test('manifest.json decides where index.json stands beside it and says something else', async t => {
  const members = blobArchive([app])
  members.set('index.json', jsonBytes({ schemaVersion: 2, manifests: [] }))
  assert.deepEqual(await summaryOf(await imagesIn(t, archiveOf(members))), [expected(app)])
})

test('an empty list of images is no error, null is one', async t => {
  assert.deepEqual(await imagesIn(t, tar([file('manifest.json', '[]')])), [])
  await assert.rejects(imagesIn(t, tar([file('manifest.json', 'null')])), { code: 'MANIFEST_INVALID' })
})

test('a layer that the archive does not hold has no range', async t => {
  const members = legacyArchive([app])
  const item = JSON.parse(String(members.get('manifest.json')))[0]
  members.delete(item.Layers[0])
  const [image] = await imagesIn(t, archiveOf(members))
  assert.deepEqual(
    image!.layers.map(({ range }) => range !== undefined),
    [false, true, true],
  )
})

test('links: a chain of symlinks, an absolute one, a hard link, a directory that is a link', async t => {
  const image: MadeImage = { layers: [base, base, base, base] }
  const config = configOf(image)
  const archive = tar([
    file('real/layer.tar', base),
    symlink('one/layer.tar', '../two/layer.tar'),
    symlink('two/layer.tar', '/real/layer.tar'),
    hardlink('three/layer.tar', 'real/layer.tar'),
    symlink('four', 'real'),
    file('c.json', config),
    file(
      'manifest.json',
      jsonBytes([
        {
          Config: 'c.json',
          RepoTags: null,
          Layers: ['one/layer.tar', 'two/layer.tar', 'three/layer.tar', 'four/layer.tar'],
        },
      ]),
    ),
  ])
  const images = await imagesIn(t, archive)
  assert.deepEqual(await summaryOf(images), [expected(image)])
  assert.equal(new Set(images[0]!.layers.map(({ range }) => range)).size, 1)
})

const withLayer = (...members: Buffer[]): Buffer =>
  tar([
    ...members,
    file('c.json', configOf({ layers: [base] })),
    file('manifest.json', jsonBytes([{ Config: 'c.json', RepoTags: null, Layers: ['l/layer.tar'] }])),
  ])

const refused: readonly [string, Buffer, { code: string; message: RegExp }][] = [
  [
    'links in a circle',
    withLayer(symlink('l/layer.tar', '../m'), symlink('m', 'l/layer.tar')),
    { code: 'ARCHIVE_INVALID', message: /test\.tar: l\/layer\.tar: leads through more than 40 links/ },
  ],
  [
    'a link that climbs out',
    withLayer(symlink('l/layer.tar', '../../etc/shadow')),
    { code: 'PATH_ESCAPE', message: /test\.tar: l\/layer\.tar: .*climbs/ },
  ],
  [
    'A1: a member that climbs out',
    withLayer(file('../x', base)),
    { code: 'PATH_ESCAPE', message: /test\.tar: .*\.\.\/x.*climbs/ },
  ],
  [
    'a directory for a layer',
    withLayer(dir('l/layer.tar/')),
    { code: 'ARCHIVE_INVALID', message: /l\/layer\.tar: is a directory, not a file/ },
  ],
  [
    'a fifo for a layer',
    withLayer(fifo('l/layer.tar')),
    { code: 'ARCHIVE_INVALID', message: /l\/layer\.tar: is a fifo, not a file/ },
  ],
  [
    'a layer twice',
    withLayer(file('l/layer.tar', base), file('./l/layer.tar', middle)),
    { code: 'ARCHIVE_INVALID', message: /l\/layer\.tar: stands in the archive more than once/ },
  ],
  [
    'manifest.json twice',
    Buffer.concat([file('manifest.json', '[]'), withLayer(file('l/layer.tar', base))]),
    { code: 'ARCHIVE_INVALID', message: /manifest\.json: stands in the archive more than once/ },
  ],
  [
    'a name both below a link and beside it',
    withLayer(symlink('l', 'k'), file('k/layer.tar', base), file('l/layer.tar', middle)),
    { code: 'ARCHIVE_INVALID', message: /stands in the archive below l, which is no directory/ },
  ],
]

for (const [name, archive, error] of refused) {
  test(`refused: ${name}`, async t => {
    await assert.rejects(imagesIn(t, archive), error)
  })
}

test('names that nobody asks for may stand there twice', async t => {
  const archive = withLayer(file('README', 'a'), file('README', 'b'), file('l/layer.tar', base))
  assert.equal((await imagesIn(t, archive)).length, 1)
})

test('F4: layers.length is not diff_ids.length', async t => {
  const archive = edited(legacyArchive([app]), ([item]) => void (item!.Layers as string[]).pop())
  await assert.rejects(imagesIn(t, archive), {
    code: 'MANIFEST_INVALID',
    message: /invalid manifest, layers length mismatch: expected 2, got 3/,
    member: `${sha256(configOf(app))}.json`,
  })
})

test('F4: more layers than the limit, more non-empty history entries than layers', async t => {
  const few = { limits: { ...defaultLimits, imageLayers: 2 } }
  await assert.rejects(imagesIn(t, archiveOf(legacyArchive([app])), few), {
    code: 'LIMIT_EXCEEDED',
    limit: 'imageLayers',
  })
  const history = Array.from({ length: 4 }, () => ({ created_by: 'x' }))
  const lying = archiveOf(legacyArchive([{ ...app, config: { history } }]))
  await assert.rejects(imagesIn(t, lying), { code: 'CONFIG_INVALID' })
})

test('F1: a diff_id that is no digest', async t => {
  const members = legacyArchive([app])
  const name = `${sha256(configOf(app))}.json`
  members.set(name, jsonBytes({ os: 'linux', rootfs: { type: 'layers', diff_ids: ['sha256:../../etc/x', 'a', 'b'] } }))
  await assert.rejects(imagesIn(t, archiveOf(members)), { code: 'DIGEST_SYNTAX' })
})

test('F3: duplicate and case-variant keys, a manifest over the limit', async t => {
  const twice = tar([file('manifest.json', '[{"Config":"a","Config":"b","Layers":[]}]')])
  await assert.rejects(imagesIn(t, twice), { code: 'MANIFEST_AMBIGUOUS' })
  const variant = tar([file('manifest.json', '[{"config":"a","Layers":[]}]')])
  await assert.rejects(imagesIn(t, variant), { code: 'MANIFEST_AMBIGUOUS' })
  const large = tar([file('manifest.json', `[${' '.repeat(2000)}]`)])
  const small = { limits: { ...defaultLimits, jsonBytes: 1000 } }
  await assert.rejects(imagesIn(t, large, small), { code: 'LIMIT_EXCEEDED', limit: 'jsonBytes', seen: 2002 })
})

test('A21: RepoTags that are no references, without a tag, with a digest', async t => {
  const bad = [
    '../../x:1',
    'a/../../b:1',
    '',
    '.',
    'app',
    `app:v1@${digestOf(base)}`,
    `${'x'.repeat(300)}:1`,
    'App:1',
    'a:b\n',
  ]
  for (const tag of bad) {
    const archive = archiveOf(legacyArchive([{ ...app, tags: [tag] }]))
    await assert.rejects(imagesIn(t, archive), { code: 'REFERENCE_INVALID' }, JSON.stringify(tag))
  }
})

test('Config is missing from the archive', async t => {
  const members = legacyArchive([app])
  const name = `${sha256(configOf(app))}.json`
  members.delete(name)
  await assert.rejects(imagesIn(t, archiveOf(members)), {
    code: 'ARCHIVE_INVALID',
    message: new RegExp(`test\\.tar: ${name}: is not there, and manifest\\.json names it`),
    member: name,
  })
})

const step = (created_by: string) => ({ created: '2020-01-02T03:04:05Z', created_by })
const parentImage: MadeImage = { layers: [base], tags: ['p:1'], config: { history: [step('a')] } }
const childImage: MadeImage = { layers: [base, middle], tags: ['c:1'], config: { history: [step('a'), step('b')] } }

test('Parent: kept between images of the archive, left out if it is not there or is the image itself', async t => {
  const parent = imageIdOf(parentImage)
  const both = await imagesIn(t, archiveOf(legacyArchive([childImage, parentImage], { 0: parent })))
  assert.deepEqual(
    both.map(image => image.parent),
    [parent, undefined],
  )
  const alone = await imagesIn(t, archiveOf(legacyArchive([childImage], { 0: parent })))
  assert.equal(alone[0]!.parent, undefined)
  const self = await imagesIn(t, archiveOf(legacyArchive([childImage], { 0: imageIdOf(childImage) })))
  assert.equal(self[0]!.parent, undefined)
})

test('Parent: refused unless the history continues; without any history it is fine', async t => {
  const other: MadeImage = { layers: [base], config: { history: [step('z')] } }
  const wrong = archiveOf(legacyArchive([childImage, other], { 0: imageIdOf(other) }))
  await assert.rejects(imagesIn(t, wrong), { code: 'MANIFEST_INVALID', message: /histories do not continue/ })
  const bare: MadeImage[] = [{ layers: [base, middle] }, { layers: [base] }]
  const images = await imagesIn(t, archiveOf(legacyArchive(bare, { 0: imageIdOf(bare[1]!) })))
  assert.equal(images[0]!.parent, imageIdOf(bare[1]!))
})

test('any os and architecture is taken; with a platform, the images that are of it, else an error that lists what is there', async t => {
  const arm: MadeImage = { layers: [base], tags: ['x:arm'], config: { architecture: 'arm64' } }
  const windows: MadeImage = { layers: [middle], tags: ['x:win'], config: { os: 'windows', architecture: 'amd64' } }
  const archive = archiveOf(legacyArchive([arm, windows]))
  assert.equal((await imagesIn(t, archive)).length, 2)
  const chosen = await imagesIn(t, archive, { platform: 'linux/aarch64' })
  assert.deepEqual(
    chosen.map(({ imageId }) => imageId),
    [imageIdOf(arm)],
  )
  await assert.rejects(imagesIn(t, archive, { platform: 'linux/s390x' }), (error: Error & { available?: string[] }) => {
    assert.equal((error as { code?: string }).code, 'PLATFORM_NOT_FOUND')
    assert.deepEqual(error.available, ['linux/arm64', 'windows/amd64'])
    return true
  })
})
