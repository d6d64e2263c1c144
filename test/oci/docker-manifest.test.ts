import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits } from '../../src/limits.js'
import { parseDockerManifest } from '../../src/oci/docker-manifest.js'

const options = { limits: defaultLimits, what: 'manifest.json' }
const parse = (text: string) => parseDockerManifest(Buffer.from(text), options)
const digest = `sha256:${'a'.repeat(64)}`

test('the legacy layout, as docker 20.10.24 writes it', () => {
  const text = `[{"Config":"aa.json","RepoTags":["a:1","b:2"],"Layers":["x/layer.tar","y/layer.tar"]}]\n`
  assert.deepEqual(parse(text), [
    { config: 'aa.json', repoTags: ['a:1', 'b:2'], layers: ['x/layer.tar', 'y/layer.tar'] },
  ])
  const untagged = `[{"Config":"aa.json","RepoTags":null,"Layers":[],"Parent":"${digest}"}]`
  assert.deepEqual(parse(untagged), [{ config: 'aa.json', repoTags: [], layers: [], parent: digest }])
})

test('the layout of Docker 25, with LayerSources', () => {
  const source = { mediaType: 'application/vnd.oci.image.layer.v1.tar', size: 10, digest }
  const item = {
    Config: `blobs/sha256/${'b'.repeat(64)}`,
    RepoTags: ['a:1'],
    Layers: [`blobs/sha256/${'a'.repeat(64)}`],
    LayerSources: { [digest]: source },
  }
  const [parsed] = parse(JSON.stringify([item]))
  assert.deepEqual([...parsed!.layerSources!], [[digest, { mediaType: source.mediaType, digest, sizeBytes: 10 }]])
  const wrong = JSON.stringify([{ ...item, LayerSources: { 'sha256:x': source } }])
  assert.throws(() => parse(wrong), { code: 'DIGEST_SYNTAX' })
})

test('an empty list is fine, null and everything else is not', () => {
  assert.deepEqual(parse('[]'), [])
  for (const text of [
    'null',
    '{}',
    '7',
    '[null]',
    '[[]]',
    '[{}]',
    '[{"Config":""}]',
    '[{"Config":7}]',
    '[{"Config":"a","Layers":{}}]',
    '[{"Config":"a","Layers":[1]}]',
    '[{"Config":"a","RepoTags":"a:1"}]',
    '[{"Config":"a","LayerSources":[]}]',
  ]) {
    assert.throws(() => parse(text), { code: 'MANIFEST_INVALID' }, text)
  }
  assert.throws(() => parse('[{"Config":"a","Parent":"x"}]'), { code: 'DIGEST_SYNTAX' })
})

test('F3: keys twice or in another case are refused', () => {
  for (const text of [
    '[{"Config":"a","Config":"b"}]',
    '[{"Config":"a","config":"b"}]',
    '[{"Config":"a","layers":[]}]',
  ]) {
    assert.throws(() => parse(text), { code: 'MANIFEST_AMBIGUOUS' }, text)
  }
})

test('F4: layers and images are counted', () => {
  const item = (layers: number) => ({ Config: 'a', Layers: Array.from({ length: layers }, () => 'l') })
  assert.throws(() => parse(JSON.stringify([item(10_001)])), { code: 'LIMIT_EXCEEDED', limit: 'imageLayers' })
  const few = { ...options, limits: { ...defaultLimits, archiveMembers: 2 } }
  const three = Buffer.from(JSON.stringify([item(0), item(0), item(0)]))
  assert.throws(() => parseDockerManifest(three, few), { code: 'LIMIT_EXCEEDED', limit: 'archiveMembers' })
})
