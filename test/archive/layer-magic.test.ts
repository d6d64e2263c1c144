import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { looksLikeLayer } from '../../src/archive/layer-magic.js'
import { layerTar } from '../build/image.js'
import { file } from '../build/tar.js'

const head = (bytes: Buffer) => looksLikeLayer(bytes.subarray(0, 512), bytes.length)

test('tars, the empty tar and compressed files look like layers', () => {
  assert.equal(head(layerTar({ a: 'b' })), true)
  assert.equal(head(file('a', 'b', { magic: 'v7' })), true)
  assert.equal(head(Buffer.alloc(1024)), true)
  assert.equal(head(gzipSync('x')), true)
  for (const magic of ['28b52ffd', '502a4d18', '5f2a4d18', '425a68', 'fd377a585a00'])
    assert.equal(head(Buffer.concat([Buffer.from(magic, 'hex'), Buffer.alloc(600)])), true, magic)
})

test('JSON, text, a header with a wrong checksum and odd sizes do not', () => {
  assert.equal(head(Buffer.from('{"a":1}')), false)
  assert.equal(head(Buffer.from('[]'.repeat(512))), false)
  assert.equal(head(Buffer.from('1.0')), false)
  assert.equal(head(Buffer.alloc(0)), false)
  const wrong = layerTar({ a: 'b' })
  wrong[0]! ^= 1
  assert.equal(head(wrong), false)
  assert.equal(head(layerTar({ a: 'b' }).subarray(0, 1000)), false)
})
