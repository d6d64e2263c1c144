import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { chainIdOf, chainIdsOf } from '../../src/oci/chain-id.js'
import { type DiffId, hexOf, isDigest, parseDigest, sha256Digest, shortId } from '../../src/oci/digest.js'

const diffIds = [
  'sha256:6b24442ff20804ba9b8371bcb9a816d23b5f7b7d7644915cd31ad5cf0000db56',
  'sha256:538b7c6573119df4f4f1936a5f64a91527108941b2c6939351baa45fa0934f01',
  'sha256:2a2ef78ad34d19283e37cc394544d33baae731b9f2b53e60f7b9aebe241c9f23',
].map(text => parseDigest<DiffId>(text))

test('chain ids of three layers: observed in the layerdb of docker 20.10.24', () => {
  assert.deepEqual(chainIdsOf(diffIds), [
    'sha256:6b24442ff20804ba9b8371bcb9a816d23b5f7b7d7644915cd31ad5cf0000db56',
    'sha256:1c1de67ae2f45336582e2c234bfbd5f287d13f30bfb8740ecbd93e25517d9abb',
    'sha256:1bad18af1503b7e97081d6d7c2b1f5b71ddf0c6b5f531fa1a22658151bc76647',
  ])
})

test('the chain id of a base layer is its diffId, and an image without layers has none', () => {
  assert.equal(chainIdOf(undefined, diffIds[0]!) as string, diffIds[0])
  assert.deepEqual(chainIdsOf([]), [])
})

test('the same layer twice makes two chains', () => {
  const [base, twice] = chainIdsOf([diffIds[0]!, diffIds[0]!])
  assert.notEqual(base, twice)
})

test('digests of the empty layers', () => {
  const zeros = Buffer.alloc(1024)
  assert.equal(sha256Digest(zeros), 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef')
  assert.equal(sha256Digest(''), 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test('F1: only sha256 and sha512 digests in lower case pass', () => {
  const sha256 = `sha256:${'0a'.repeat(32)}`
  const sha512 = `sha512:${createHash('sha512').update('x').digest('hex')}`
  for (const good of [sha256, sha512]) assert.equal(parseDigest(good), good)
  assert.equal(hexOf(parseDigest(sha256)), '0a'.repeat(32))
  assert.equal(shortId(parseDigest(sha256)), '0a'.repeat(6))
  const bad = [
    'sha256:../../etc/x',
    `sha256:${'0A'.repeat(32)}`,
    `sha256:${'0'.repeat(63)}`,
    `sha256:${'0'.repeat(65)}`,
    `${sha256}\n`,
    ` ${sha256}`,
    `SHA256:${'0'.repeat(64)}`,
    `md5:${'0'.repeat(32)}`,
    `sha256:${'٠'.repeat(64)}`,
    `sha512:${'0'.repeat(64)}`,
    `${'a'.repeat(10_240)}:${'0'.repeat(64)}`,
    '',
    'sha256:',
    undefined,
    null,
    7,
    [sha256],
  ]
  for (const text of bad) {
    assert.equal(isDigest(text), false)
    assert.throws(() => parseDigest(text), { code: 'DIGEST_SYNTAX' })
  }
})
