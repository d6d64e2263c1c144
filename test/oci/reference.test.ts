import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  canonicalName,
  canonicalRepository,
  familiarName,
  familiarRepository,
  parseReference,
  withDefaultTag,
} from '../../src/oci/reference.js'

const zeros = `sha256:${'0'.repeat(64)}`

/** Observed with `docker tag` of 20.10.24; those marked 28 are beyond it, and taken by the parser of the 28.2.2 client. */
const accepted: readonly (readonly [text: string, canonical: string, familiar: string])[] = [
  ['alpine', 'docker.io/library/alpine', 'alpine'],
  ['alpine:3', 'docker.io/library/alpine:3', 'alpine:3'],
  ['library/alpine:1', 'docker.io/library/alpine:1', 'alpine:1'],
  ['docker.io/alpine:2', 'docker.io/library/alpine:2', 'alpine:2'],
  ['docker.io/library/alpine:4', 'docker.io/library/alpine:4', 'alpine:4'],
  ['index.docker.io/alpine:5', 'docker.io/library/alpine:5', 'alpine:5'],
  ['index.docker.io/a/b:1', 'docker.io/a/b:1', 'a/b:1'],
  ['docker.io/a/b/c:1', 'docker.io/a/b/c:1', 'a/b/c:1'],
  ['docker.io/library/library/x:9', 'docker.io/library/library/x:9', 'library/library/x:9'],
  ['foo/bar', 'docker.io/foo/bar', 'foo/bar'],
  ['localhost', 'docker.io/library/localhost', 'localhost'],
  ['localhost:5000', 'docker.io/library/localhost:5000', 'localhost:5000'],
  ['localhost/x:1', 'localhost/x:1', 'localhost/x:1'],
  ['localhost:5000/x', 'localhost:5000/x', 'localhost:5000/x'],
  ['127.0.0.1:5987/test/other:v2', '127.0.0.1:5987/test/other:v2', '127.0.0.1:5987/test/other:v2'],
  ['foo.com/bar:LATEST', 'foo.com/bar:LATEST', 'foo.com/bar:LATEST'],
  ['foo:5000/bar:1', 'foo:5000/bar:1', 'foo:5000/bar:1'],
  ['a.b', 'docker.io/library/a.b', 'a.b'],
  ['a__b-c---d', 'docker.io/library/a__b-c---d', 'a__b-c---d'],
  ['a.b.c/d/e_f/g-h:i', 'a.b.c/d/e_f/g-h:i', 'a.b.c/d/e_f/g-h:i'],
  [`a:${'t'.repeat(128)}`, `docker.io/library/a:${'t'.repeat(128)}`, `a:${'t'.repeat(128)}`],
  ['0'.repeat(63), `docker.io/library/${'0'.repeat(63)}`, '0'.repeat(63)],
  ['a:_x', 'docker.io/library/a:_x', 'a:_x'],
  [`a@${zeros}`, `docker.io/library/a@${zeros}`, `a@${zeros}`],
  [`a:1@${zeros}`, `docker.io/library/a:1@${zeros}`, `a:1@${zeros}`],
  ['docker.io', 'docker.io/library/docker.io', 'docker.io'],
  ['docker.io/localhost/x:1', 'docker.io/localhost/x:1', 'localhost/x:1'],
  ['[::1]:5000/x:1', '[::1]:5000/x:1', '[::1]:5000/x:1'], // 28
  ['[2001:db8::1]/x', '[2001:db8::1]/x', '[2001:db8::1]/x'], // 28
  ['Foo/bar:1', 'Foo/bar:1', 'Foo/bar:1'], // 28
  [`foo.com/${'x'.repeat(255)}`, `foo.com/${'x'.repeat(255)}`, `foo.com/${'x'.repeat(255)}`], // 28
]

test('accepted references: canonical and familiar names', () => {
  for (const [text, canonical, familiar] of accepted) {
    const reference = parseReference(text)
    assert.equal(canonicalName(reference), canonical, text)
    assert.equal(familiarName(reference), familiar, text)
    assert.deepEqual(parseReference(canonical), reference, text)
  }
})

test('repositories, without tag and digest', () => {
  const reference = parseReference(`index.docker.io/alpine:3@${zeros}`)
  assert.equal(canonicalRepository(reference), 'docker.io/library/alpine')
  assert.equal(familiarRepository(reference), 'alpine')
  assert.deepEqual(reference, { domain: 'docker.io', path: 'library/alpine', tag: '3', digest: zeros })
})

test('latest is the tag of what has neither tag nor digest', () => {
  assert.equal(familiarName(withDefaultTag(parseReference('a'))), 'a:latest')
  assert.equal(familiarName(withDefaultTag(parseReference('a:1'))), 'a:1')
  assert.equal(familiarName(withDefaultTag(parseReference(`a@${zeros}`))), `a@${zeros}`)
})

/** All refused by `docker tag` of 20.10.24 and 28.2.2, too. */
const refused: readonly (readonly [text: string, reason: RegExp])[] = [
  ['', /it is empty/],
  ['Foo', /repository name "library\/Foo" must be lowercase/],
  ['foo/Bar', /repository name "foo\/Bar" must be lowercase/],
  ['foo.com/Bar', /repository name "Bar" must be lowercase/],
  ['0'.repeat(64), /image id/],
  ['a___b', /not a component/],
  ['-a', /not a component/],
  ['a-', /not a component/],
  ['_a', /not a component/],
  ['a..b', /not a component/],
  ['a//b', /not a component/],
  ['/a', /not a component/],
  ['a/', /not a component/],
  ['a b', /not a component/],
  ['é', /not a component/],
  ['docker.io/', /not a component/],
  ['foo.com/', /repository name is empty/],
  ['a:', /tag is empty/],
  ['a:.x', /"\.x" is not a tag/],
  ['a:-x', /is not a tag/],
  ['a:b:c', /is not a tag/],
  [`a:${'t'.repeat(129)}`, /longer than 128/],
  ['a:b/c', /port that is not a number/],
  ['foo.com:80:80/x', /port that is not a number/],
  ['foo.com:/x', /port that is not a number/],
  ['foo.com:8a/x', /port that is not a number/],
  ['-foo.com/x', /not a registry name/],
  ['foo-.com/x', /not a registry name/],
  ['foo..com/x', /not a registry name/],
  ['foo.com./x', /not a registry name/],
  ['[fe80::1%eth0]/x', /not a registry name/],
  [`foo.com/${'x'.repeat(256)}`, /more than 255/],
  ['x'.repeat(255), /more than 255/],
  ['y/'.repeat(2000), /too many for a reference/],
  ['a@sha256:00', /not a digest/],
  [`a@md5:${'0'.repeat(32)}`, /not a digest/],
  [`a@SHA256:${'0'.repeat(64)}`, /not a digest/],
  [`a@${zeros}@${zeros}`, /not a digest/],
  ['a@', /not a digest/],
]

test('refused references, each with its reason', () => {
  for (const [text, message] of refused) {
    assert.throws(() => parseReference(text), { code: 'REFERENCE_INVALID', message }, text)
  }
})

test('A21: names that would be paths, control characters and endless names are refused', () => {
  const names = [
    '../../x',
    'a/../../b',
    '',
    '.',
    '..',
    'x'.repeat(300),
    'a\n',
    'a\nb',
    'a:\n',
    'a:1\n',
    'a:..',
    'a\0',
    'a\\b',
  ]
  for (const name of names)
    assert.throws(() => parseReference(name), { code: 'REFERENCE_INVALID' }, JSON.stringify(name))
  assert.throws(() => parseReference('LATEST'), { code: 'REFERENCE_INVALID' })
  assert.notEqual(canonicalName(parseReference('a:LATEST')), canonicalName(parseReference('a:latest')))
})

test('A21: no name reaches a terminal raw', () => {
  for (const name of ['a\u001b[31m', 'a\u202eb', 'x/\u009b', 'a:\u0007']) {
    assert.throws(
      () => parseReference(name),
      (error: Error) => /^[\x20-\x7e]*$/.test(error.message),
    )
  }
  assert.throws(() => parseReference('a/日本'), /日本/)
})

test('H7: hostile texts are answered in time linear in their length', () => {
  const seeds = ['a', '-', '_', '__', '.', 'a-', 'a.', 'a_', '/', ':', '@', '[', '[:', 'A', 'a/', '0']
  const refuse = (text: string) => assert.throws(() => parseReference(text), { code: 'REFERENCE_INVALID' })
  for (const seed of seeds) {
    // As long as the grammar looks at, and far beyond: a quadratic matcher would not come back from the latter.
    for (const count of [250, 50_000, 5_000_000]) refuse(`${seed.repeat(count)}!`)
  }
})

const alphanumeric = fc.string({ unit: fc.constantFrom(...'abcxyz019'), minLength: 1, maxLength: 6 })
const component = fc
  .array(fc.tuple(alphanumeric, fc.constantFrom('.', '_', '__', '-', '---')), { minLength: 1, maxLength: 3 })
  .map(parts => parts.map(([text, separator], index) => (index === 0 ? '' : separator) + text).join(''))
const domain = fc.constantFrom('', 'localhost/', 'localhost:5000/', 'a.b/', 'X/', '[::1]:80/', 'index.docker.io/')
const tag = fc.constantFrom('', ':1', ':_', `:${'x'.repeat(128)}`, ':a.b-c')
const digest = fc.constantFrom('', `@${zeros}`, `@sha512:${'f'.repeat(128)}`)

test('property: whatever the grammar makes is accepted, and its canonical name means the same', () => {
  fc.assert(
    fc.property(
      domain,
      fc.array(component, { minLength: 1, maxLength: 4 }),
      tag,
      digest,
      (host, parts, label, hash) => {
        // A first component with a dot would be a domain.
        fc.pre(host !== '' || parts.length === 1 || !parts[0]!.includes('.'))
        const reference = parseReference(host + parts.join('/') + label + hash)
        assert.deepEqual(parseReference(canonicalName(reference)), reference)
        assert.equal(reference.path.endsWith(parts.at(-1)!), true)
        assert.equal(canonicalName(reference).endsWith(label + hash), true)
      },
    ),
  )
})

test('property: any text is a reference or a REFERENCE_INVALID', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'aA0._-/:@[]é\n '), maxLength: 30 }), text => {
      try {
        const { domain: host, path } = parseReference(text)
        assert.match(`${host}/${path}`, /^[A-Za-z0-9.:[\]-]+(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'REFERENCE_INVALID')
      }
    }),
    { numRuns: 2000 },
  )
})
