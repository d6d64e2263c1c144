/** Which blobs a registry is asked for, of those that are known of a layer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attemptsFor, checkCandidates, mountCandidates } from '../../src/distribution/push-candidates.js'
import { hmacKey } from '../../src/distribution/push-notes.js'
import type { BlobNote } from '../../src/layers/blob-notes.js'
import type { Digest } from '../../src/oci/digest.js'
import { parseReference } from '../../src/oci/reference.js'
import { sha256 } from '../build/fake-registry.js'
import { digestOf } from '../build/image.js'

test('how many mounts and looks: by the size of the layer, as Docker has them', () => {
  const [MiB, KiB] = [1 << 20, 1 << 10]
  assert.deepEqual(attemptsFor(10 * MiB + 1), { mounts: 4, checks: 3, checksOthers: true })
  assert.deepEqual(attemptsFor(10 * MiB), { mounts: 3, checks: 1, checksOthers: false })
  assert.deepEqual(attemptsFor(100 * KiB + 1), { mounts: 3, checks: 1, checksOthers: false })
  assert.deepEqual(attemptsFor(100 * KiB), { mounts: 1, checks: 1, checksOthers: false })
})

const target = parseReference('reg.example:5000/team/app/web')
const note = (repository: string, hmac = '', digest = sha256('x')): BlobNote => ({
  digest: digest as Digest,
  sourceRepository: repository,
  hmac,
})

test('mounts: own credentials first, then the most of the path in common, then the youngest', () => {
  const notes = [
    note('reg.example:5000/team/app/api'),
    note('reg.example:5000/other/x', 'ours'),
    note('reg.example:5000/team/old'),
    note('reg.example:5000/team/app/db'),
    note('reg.example:5000/team/app/web'),
    note('reg.example/team/app/api'),
    note('reg.example:5000/none'),
  ]
  const ours = ({ hmac }: BlobNote) => hmac === 'ours'
  const from = (most: number) => mountCandidates(target, notes, ours, most).map(candidate => candidate.from)
  assert.deepEqual(from(9), ['other/x', 'team/app/db', 'team/app/api', 'team/old', 'none'])
  assert.deepEqual(from(2), ['other/x', 'team/app/db'])
})

test('looks: the target’s own first, each digest once; of others only if that is asked for', () => {
  const own = 'reg.example:5000/team/app/web'
  const notes = [
    note(own, '', sha256('1')),
    note('reg.example:5000/x', '', sha256('2')),
    note(own, '', sha256('3')),
    note('docker.io/library/y', '', sha256('3')),
  ]
  const digests = (others: boolean, most: number) =>
    checkCandidates(target, notes, () => false, { others, most }).map(({ digest }) => digest)
  assert.deepEqual(digests(false, 9), [sha256('3'), sha256('1')])
  assert.deepEqual(digests(true, 9), [sha256('3'), sha256('1'), sha256('2')])
  assert.deepEqual(digests(true, 2), [sha256('3'), sha256('1')])
})

test('the key of a note’s hash: the digest of what Docker’s AuthConfig has', () => {
  const key = (json: string) => digestOf(Buffer.from(json))
  assert.equal(hmacKey(undefined), key('{}'))
  assert.equal(
    hmacKey({ kind: 'password', username: 'alice', password: 'a<b' }),
    key('{"username":"alice","password":"a\\u003cb"}'),
  )
  assert.equal(hmacKey({ kind: 'identity', username: '', token: 't' }), key('{"identitytoken":"t"}'))
  assert.equal(
    hmacKey({ kind: 'identity', username: 'bob', token: 't' }),
    key('{"username":"bob","identitytoken":"t"}'),
  )
  assert.equal(hmacKey({ kind: 'registry', token: 'r' }), key('{"registrytoken":"r"}'))
})
