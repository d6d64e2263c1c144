import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultLimits } from '../../src/limits.js'
import { type JsonObject, parseJson, refuseCaseVariants } from '../../src/oci/json.js'

const options = { limits: defaultLimits, what: 'doc.json' }
const parse = (text: string | Uint8Array, more = {}) => parseJson(Buffer.from(text), { ...options, ...more })
const invalid = (message: RegExp) => ({ code: 'MANIFEST_INVALID', message })

test('F3: duplicate keys are refused at every depth, however they are spelled', () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":1,"b":[{"c":1,"d":2,"c":3}]}',
    '{"digest":"x","\\u0064igest":"y"}',
    '{"a":{"b":1},"a":{"b":1}}',
    '{"":1,"":1}',
    '{"__proto__":1,"__proto__":2}',
    '{"a":[1,{"x":2}],"b":"},{","a":1}',
  ]) {
    assert.throws(() => parse(text), { code: 'MANIFEST_AMBIGUOUS', message: /is there twice/ }, text)
  }
})

test('F3: the same key in two objects, or as a value, is no duplicate', () => {
  for (const text of [
    '[{"a":1},{"a":2}]',
    '{"a":{"a":{"a":1}},"b":"a"}',
    '{"a":["a","a"],"b":"a"}',
    '{"a":"{\\"a\\":1}"}',
  ]) {
    assert.deepEqual(parse(text), JSON.parse(text))
  }
})

test('F3: case variants of known keys are refused, of others not', () => {
  const keys = ['digest', 'config', 'size', 'schemaVersion', 'k']
  for (const key of ['Digest', 'DIGEST', 'conFig', 'ſize', '\u212a', 'schemaversion']) {
    assert.throws(() => parse(`{"${key}":1}`, { keys }), { code: 'MANIFEST_AMBIGUOUS', message: /case variant/ }, key)
  }
  assert.deepEqual(parse('{"digest":1,"Other":2,"x":{"Digest":3}}', { keys }), {
    digest: 1,
    Other: 2,
    x: { Digest: 3 },
  })
  assert.throws(() => refuseCaseVariants({ digest: 1, DigesT: 2 }, keys, 'x'), { code: 'MANIFEST_AMBIGUOUS' })
})

test('F3: __proto__ is a key like any other', () => {
  const value = parse('{"__proto__":{"polluted":true},"constructor":1}') as JsonObject
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor'])
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.equal(({} as JsonObject).polluted, undefined)
})

test('F3: byte order mark, trailing bytes, bad UTF-8, lone surrogates and absurd numbers are refused', () => {
  assert.throws(() => parse('\ufeff{}'), invalid(/byte order mark/))
  for (const text of [
    '{}x',
    '{}{}',
    '{} ]',
    '',
    ' ',
    '{"a":1,}',
    "{'a':1}",
    '[1',
    '{"a',
    '"\\x"',
    'nul',
    '{"a\\q":1}',
    '\u00a0{}',
  ]) {
    assert.throws(() => parse(text), invalid(/not JSON/), text)
  }
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xe2, 0x82],
  ]) {
    assert.throws(() => parse(Uint8Array.from(bytes)), invalid(/not valid UTF-8/))
  }
  for (const text of ['"\\ud800"', '["\\udc00x"]', '{"\\ud83d":1}', '"\\ude00\\ud83d"']) {
    assert.throws(() => parse(text), invalid(/surrogate/), text)
  }
  for (const text of ['1e400', '[-1e400]', `[${'9'.repeat(400)}]`]) {
    assert.throws(() => parse(text), invalid(/out of range/), text)
  }
  assert.equal(parse('"\\ud83d\\ude00"'), '😀')
  assert.deepEqual(parse(' [1, -0.5e-3, 1e308]\n'), [1, -0.0005, 1e308])
})

test('F3: depth of 64 passes, of 65 and of 100,000 does not', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  assert.ok(parse(nested(64)))
  for (const text of [nested(65), nested(100_000), '['.repeat(100_000), '{"a":'.repeat(65)]) {
    assert.throws(() => parse(text), { code: 'LIMIT_EXCEEDED', limit: 'jsonDepth' })
  }
})

test('F3: more than jsonBytes is refused unread, up to that it takes linear time', () => {
  assert.throws(() => parse(Buffer.alloc(defaultLimits.jsonBytes + 1)), { code: 'LIMIT_EXCEEDED', limit: 'jsonBytes' })
  const keys = Array.from({ length: 250_000 }, (_, index) => `"k${index}":0`)
  assert.equal(Object.keys(parse(`{${keys.join(',')}}`) as JsonObject).length, 250_000)
  const size = defaultLimits.jsonBytes - 2
  for (const body of [
    '\\"'.repeat(size / 2),
    '1'.repeat(size),
    '-'.repeat(size),
    '"a'.repeat(size / 2),
    ','.repeat(size),
  ]) {
    try {
      parse(`"${body}"`)
      parse(`[${body}]`)
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'MANIFEST_INVALID')
    }
  }
})

test('the code is the one asked for, and messages name the document and hold no raw control characters', () => {
  assert.throws(() => parse('x', { code: 'CONFIG_INVALID' }), { code: 'CONFIG_INVALID', message: /^doc\.json: / })
  assert.throws(
    () => parse('{"\\u001b[31m":1,"\\u001b[31m":1}'),
    (error: Error) => !error.message.includes('\u001b'),
  )
  assert.throws(
    () => parse('\u001b[31m'),
    (error: Error) => !error.message.includes('\u001b'),
  )
})

test('property: what JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: 'grapheme' }), value => {
      const text = JSON.stringify(value)
      assert.deepEqual(parse(text), JSON.parse(text))
    }),
  )
})

test('property: any bytes are JSON to JSON.parse, too, or an error of ours', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[],:"\\u0d8 1-e.tnfal\n'), maxLength: 24 }), text => {
      try {
        assert.deepEqual(parse(text), JSON.parse(text))
      } catch (error) {
        assert.match(String((error as { code?: string }).code), /^(MANIFEST_INVALID|MANIFEST_AMBIGUOUS)$/)
      }
    }),
    { numRuns: 5000 },
  )
})
