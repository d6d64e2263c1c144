import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits } from '../../src/limits.js'
import { type Descriptor, parseDescriptor, verifyBytes } from '../../src/oci/descriptor.js'
import { sha256Digest } from '../../src/oci/digest.js'
import { isAttestation, leavesOf, parseImageIndex, parseManifestOrIndex } from '../../src/oci/index-manifest.js'
import { parseImageManifest } from '../../src/oci/manifest.js'
import { isForeignLayerType, isImageConfigType, isLayerType, mediaTypes } from '../../src/oci/media-type.js'

const options = { limits: defaultLimits, what: 'doc' }
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))
const where = { what: 'descriptor', code: 'MANIFEST_INVALID' } as const
const digest = sha256Digest('x')
const blob = { mediaType: mediaTypes.ociLayerGzip, digest, size: 1 }
const config = { mediaType: mediaTypes.ociConfig, digest, size: 1 }
const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [blob] }
const index = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociIndex,
  manifests: [{ ...blob, mediaType: mediaTypes.ociManifest }],
}
const invalid = { code: 'MANIFEST_INVALID' }
const ambiguous = { code: 'MANIFEST_AMBIGUOUS' }

test('an OCI manifest and a Docker manifest of schema 2', () => {
  const subject = { mediaType: mediaTypes.ociManifest, digest, size: 7 }
  const oci = parseImageManifest(
    bytes({ ...manifest, subject, annotations: { a: 'b' }, artifactType: 'x/y', new: 1 }),
    options,
  )
  assert.equal(oci.mediaType, mediaTypes.ociManifest)
  assert.deepEqual(oci.layers, [{ mediaType: mediaTypes.ociLayerGzip, digest, sizeBytes: 1 }])
  assert.equal(oci.subject?.sizeBytes, 7)
  assert.equal(oci.artifactType, 'x/y')
  assert.equal(oci.annotations?.a, 'b')
  const docker = parseImageManifest(bytes({ ...manifest, mediaType: mediaTypes.dockerManifest }), options)
  assert.equal(docker.mediaType, mediaTypes.dockerManifest)
})

test('an OCI index and a Docker list; without a media type the shape decides', () => {
  assert.equal(parseImageIndex(bytes({ ...index, mediaType: mediaTypes.dockerList }), options).manifests.length, 1)
  assert.equal(parseManifestOrIndex(bytes({ ...index, mediaType: undefined }), options).kind, 'index')
  assert.equal(
    parseManifestOrIndex(bytes({ ...manifest, mediaType: undefined }), options).mediaType,
    mediaTypes.ociManifest,
  )
  const announced = { ...options, mediaType: mediaTypes.dockerManifest }
  const { mediaType } = parseManifestOrIndex(bytes({ ...manifest, mediaType: undefined }), announced)
  assert.equal(mediaType, mediaTypes.dockerManifest)
  assert.throws(() => parseImageManifest(bytes(index), options), invalid)
  assert.throws(() => parseImageIndex(bytes(manifest), options), invalid)
})

test('F2: what could be an image and an index is neither', () => {
  for (const both of [
    { ...manifest, manifests: [] },
    { ...index, config },
    { ...index, layers: [] },
    { ...manifest, mediaType: undefined, manifests: [] },
    { ...manifest, fsLayers: [] },
    { ...index, fsLayers: [] },
  ]) {
    assert.throws(() => parseManifestOrIndex(bytes(both), options), ambiguous)
  }
})

test('F2: the media type of the body must be the one it was announced with', () => {
  assert.throws(
    () => parseManifestOrIndex(bytes(manifest), { ...options, mediaType: mediaTypes.dockerManifest }),
    ambiguous,
  )
  assert.throws(() => parseManifestOrIndex(bytes(manifest), { ...options, mediaType: mediaTypes.ociIndex }), ambiguous)
  const untyped = { ...manifest, mediaType: undefined }
  assert.throws(() => parseManifestOrIndex(bytes(untyped), { ...options, mediaType: mediaTypes.ociIndex }), ambiguous)
  for (const mediaType of [mediaTypes.ociManifest, 'application/octet-stream', '']) {
    assert.equal(parseManifestOrIndex(bytes(manifest), { ...options, mediaType }).kind, 'manifest')
  }
  assert.throws(() => parseManifestOrIndex(bytes({ ...manifest, mediaType: 'text/plain' }), options), invalid)
})

test('F3: case variants and duplicates in manifests and descriptors are refused', () => {
  for (const text of [
    JSON.stringify({ ...manifest, Layers: [] }),
    JSON.stringify({ ...manifest, MediaType: 'x' }),
    JSON.stringify({ ...manifest, layers: [{ ...blob, Digest: digest }] }),
    JSON.stringify({ ...manifest, config: { ...config, SIZE: 1 } }),
    JSON.stringify(manifest).replace('"layers"', '"layers":[],"layers"'),
    JSON.stringify(index).replace('"size"', '"size":2,"size"'),
  ]) {
    assert.throws(() => parseManifestOrIndex(Buffer.from(text), options), ambiguous, text)
  }
})

test('shapes that are none, and schema 1', () => {
  for (const value of [
    [],
    null,
    7,
    {},
    { ...manifest, schemaVersion: 1 },
    { ...manifest, schemaVersion: undefined },
    { ...manifest, schemaVersion: '2' },
    { ...manifest, config: undefined },
    { ...manifest, config: [] },
    { ...manifest, layers: {} },
    { ...manifest, layers: [null] },
    { ...manifest, annotations: { a: 1 } },
    { ...manifest, mediaType: 7 },
    { schemaVersion: 1, fsLayers: [] },
  ]) {
    assert.throws(() => parseManifestOrIndex(bytes(value), options), invalid, JSON.stringify(value))
  }
})

test('F4: no layers, the same layer twice and 500 layers are fine, 10,001 are not', () => {
  const layers = (count: number) => bytes({ ...manifest, layers: Array.from({ length: count }, () => blob) })
  for (const count of [0, 2, 500]) assert.equal(parseImageManifest(layers(count), options).layers.length, count)
  assert.equal(parseImageManifest(bytes({ ...manifest, layers: null }), options).layers.length, 0)
  assert.throws(() => parseImageManifest(layers(10_001), options), { code: 'LIMIT_EXCEEDED', limit: 'imageLayers' })
})

test('descriptors: sizes are whole numbers that all readers agree on', () => {
  for (const size of [-1, 1.5, 2 ** 53, '1', null, undefined]) {
    assert.throws(() => parseDescriptor(JSON.parse(JSON.stringify({ ...blob, size })), where), invalid, String(size))
  }
  assert.throws(
    () =>
      parseImageManifest(Buffer.from(JSON.stringify(manifest).replace('"size":1', '"size":9007199254740993')), options),
    invalid,
  )
  assert.equal(parseDescriptor({ ...blob, size: 2 ** 53 - 1 }, where).sizeBytes, 2 ** 53 - 1)
  assert.throws(() => parseDescriptor({ ...blob, digest: 'sha256:../../etc/x' }, where), { code: 'DIGEST_SYNTAX' })
  assert.throws(() => parseDescriptor({ mediaType: '', size: 1 }, where), { code: 'DIGEST_SYNTAX' })
})

test('descriptors: platform, annotations and urls', () => {
  const platform = { os: 'windows', architecture: 'amd64', 'os.version': '10.0.1', 'os.features': ['x'], variant: '' }
  const parsed = parseDescriptor({ ...blob, platform, urls: ['https://a/b'], annotations: { k: 'v' } }, where)
  assert.deepEqual(parsed.platform, { os: 'windows', architecture: 'amd64', osVersion: '10.0.1', osFeatures: ['x'] })
  assert.deepEqual(parsed.urls, ['https://a/b'])
  const odd = parseDescriptor(JSON.parse(`{"digest":"${digest}","size":1,"annotations":{"__proto__":"p"}}`), where)
  assert.deepEqual(Object.entries(odd.annotations!), [['__proto__', 'p']])
  assert.equal(odd.mediaType, '')
})

test('F6: embedded data must be base64 and have the digest and the size of its descriptor', () => {
  const empty = { mediaType: mediaTypes.ociEmpty, digest: sha256Digest('{}'), size: 2, data: 'e30=' }
  // The empty descriptor of the OCI image spec.
  assert.equal(empty.digest, 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a')
  assert.equal(parseDescriptor(empty, where).data?.toString(), '{}')
  assert.throws(() => parseDescriptor({ ...empty, data: 'e31=' }, where), invalid)
  assert.throws(() => parseDescriptor({ ...empty, data: 'e3t9' }, where), { code: 'SIZE_MISMATCH' })
  assert.throws(() => parseDescriptor({ ...empty, data: 'W10=' }, where), { code: 'DIGEST_MISMATCH' })
  assert.throws(() => parseDescriptor({ ...empty, data: '' }, where), { code: 'SIZE_MISMATCH' })
  for (const data of ['e30', 'e30=\n', '*e30=', 'e3 0=', 'e30=e30=', '!!!!']) {
    assert.throws(() => parseDescriptor({ ...empty, data }, where), invalid, data)
  }
  const large = Buffer.alloc(3 << 20)
  const descriptor = { ...empty, digest: sha256Digest(large), size: large.length, data: large.toString('base64') }
  const embedded = parseImageManifest(bytes({ ...manifest, config: { ...config, ...descriptor } }), {
    ...options,
    limits: { ...defaultLimits, jsonBytes: 5 << 20 },
  })
  assert.equal(embedded.config.data?.length, large.length)
})

test('bytes are verified by size, then by digest, in sha256 and sha512', () => {
  verifyBytes({ digest, sizeBytes: 1 }, Buffer.from('x'), 'blob')
  assert.throws(() => verifyBytes({ digest, sizeBytes: 2 }, Buffer.from('x'), 'blob'), {
    code: 'SIZE_MISMATCH',
    expected: 2,
    seen: 1,
  })
  assert.throws(() => verifyBytes({ digest, sizeBytes: 1 }, Buffer.from('y'), 'blob'), { code: 'DIGEST_MISMATCH' })
  // FIPS 180-4, "abc".
  const abc =
    'sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f'
  verifyBytes(
    { digest: parseDescriptor({ ...blob, digest: abc }, where).digest, sizeBytes: 3 },
    Buffer.from('abc'),
    'blob',
  )
})

function entry(document: unknown, mediaType: string, more: object = {}): [Descriptor, Buffer, object] {
  const body = bytes(document)
  const raw = { mediaType, digest: sha256Digest(body), size: body.length, ...more }
  return [parseDescriptor(raw as never, where), body, raw]
}

test('the leaves of nested indexes, with platforms, without attestations and unknown types', async () => {
  const amd64 = { os: 'linux', architecture: 'amd64' }
  const [leaf, , rawLeaf] = entry(manifest, mediaTypes.ociManifest, { platform: amd64 })
  const [, , attestation] = entry({ a: 1 }, mediaTypes.ociManifest, {
    platform: { os: 'unknown', architecture: 'unknown' },
  })
  const [bare, , rawBare] = entry({ ...manifest, layers: [] }, mediaTypes.dockerManifest)
  const [, , other] = entry({}, 'application/vnd.example+json')
  const arm = { os: 'linux', architecture: 'arm64' }
  const [inner, innerBytes, rawInner] = entry(
    { ...index, manifests: [rawBare, attestation, other] },
    mediaTypes.ociIndex,
    { platform: arm },
  )
  const top = parseImageIndex(bytes({ ...index, manifests: [rawLeaf, rawInner, other, attestation] }), options)
  const leaves = await leavesOf(top, () => innerBytes, options)
  assert.deepEqual(leaves, [
    { descriptor: leaf, within: [], platform: amd64 },
    { descriptor: bare, within: [inner], platform: arm },
  ])
  await assert.rejects(
    leavesOf(top, () => Buffer.from('{}'), options),
    { code: 'SIZE_MISMATCH' },
  )
  const forged = Buffer.from(innerBytes)
  forged[5]! ^= 1
  await assert.rejects(
    leavesOf(top, () => forged, options),
    { code: 'DIGEST_MISMATCH' },
  )
})

test('attestations are known by their annotation, too', () => {
  const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' }
  assert.equal(isAttestation(parseDescriptor({ ...blob, annotations }, where)), true)
  assert.equal(isAttestation(parseDescriptor(blob, where)), false)
})

test('F9: indexes nest up to 8 deep, and hold up to archiveMembers entries in all', async () => {
  const nest = (depth: number) => {
    const bodies = new Map<string, Buffer>()
    let document: object = { ...index, manifests: [{ ...blob, mediaType: mediaTypes.ociManifest }] }
    for (let level = 1; level < depth; level++) {
      const [descriptor, body, raw] = entry(document, mediaTypes.ociIndex)
      bodies.set(descriptor.digest, body)
      document = { ...index, manifests: [raw] }
    }
    return leavesOf(parseImageIndex(bytes(document), options), ({ digest: name }) => bodies.get(name)!, options)
  }
  assert.equal((await nest(8)).length, 1)
  await assert.rejects(nest(9), { code: 'LIMIT_EXCEEDED', limit: 'indexDepth' })

  const few = { ...options, limits: { ...defaultLimits, archiveMembers: 10 } }
  const wide = (count: number) => ({ ...index, manifests: Array.from({ length: count }, () => index.manifests[0]) })
  assert.throws(() => parseImageIndex(bytes(wide(11)), few), { code: 'LIMIT_EXCEEDED', limit: 'archiveMembers' })
  const [, body, raw] = entry(wide(4), mediaTypes.ociIndex)
  const fanOut = parseImageIndex(bytes({ ...index, manifests: [raw, raw, raw] }), few)
  await assert.rejects(
    leavesOf(fanOut, () => body, few),
    { code: 'LIMIT_EXCEEDED', limit: 'archiveMembers' },
  )
})

test('media types: configs, layers and foreign layers', () => {
  for (const type of [mediaTypes.ociConfig, mediaTypes.dockerConfig, 'application/octet-stream', '']) {
    assert.equal(isImageConfigType(type), true)
  }
  assert.equal(isImageConfigType('application/vnd.docker.plugin.v1+json'), false)
  for (const type of [mediaTypes.ociLayerZstd, mediaTypes.dockerLayerGzip, mediaTypes.dockerForeignLayer]) {
    assert.equal(isLayerType(type), true)
  }
  assert.equal(isLayerType(mediaTypes.ociConfig), false)
  assert.equal(isForeignLayerType('application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'), true)
  assert.equal(isForeignLayerType(mediaTypes.ociLayerGzip), false)
})
