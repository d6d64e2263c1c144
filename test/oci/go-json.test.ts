import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareBytes, goJson, parseTime, rewriteTime, sortedMap } from '../../src/oci/go-json.js'

test('strings are escaped as by Go', () => {
  assert.equal(goJson('<a> & \u2028\u2029'), '"\\u003ca\\u003e \\u0026 \\u2028\\u2029"')
  assert.equal(goJson('<a>&\u2028', { plainHtml: true }), '"<a>&\\u2028"')
  assert.equal(goJson('"\\/\n\r\t\u0001\u001f\u007fé😀'), '"\\"\\\\/\\n\\r\\t\\u0001\\u001f\u007fé😀"')
  assert.equal(goJson('a\ud800b'), '"a\ufffdb"')
  assert.equal(goJson({ '<k>': 1 }), '{"\\u003ck\\u003e":1}')
})

test('values are compact, in the order given, without what is undefined', () => {
  assert.equal(
    goJson({ b: null, a: [1, 2n, true, -1.5], c: undefined, d: {}, e: [], f: Buffer.from([1, 2, 3, 4]) }),
    '{"b":null,"a":[1,2,true,-1.5],"d":{},"e":[],"f":"AQIDBA=="}',
  )
  assert.throws(() => goJson(Number.NaN), TypeError)
})

test('a zero container config: observed in an image made by docker 20.10.24', () => {
  const zero = {
    Hostname: '',
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: null,
    Cmd: null,
    Image: '',
    Volumes: null,
    WorkingDir: '',
    Entrypoint: null,
    OnBuild: null,
    Labels: null,
  }
  assert.equal(
    goJson(zero),
    '{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null}',
  )
})

test('maps are sorted by bytes, also where keys look like numbers or lie beyond U+FFFF', () => {
  assert.equal(goJson(sortedMap({ b: 1, 10: 2, 9: 3, B: 4 })), '{"10":2,"9":3,"B":4,"b":1}')
  assert.deepEqual(
    [
      ...sortedMap(
        new Map([
          ['\u{10000}', 1],
          ['\ue000', 2],
        ]),
      ).keys(),
    ],
    ['\ue000', '\u{10000}'],
  )
  assert.ok(compareBytes('a', 'aa') < 0)
})

test('times: RFC 3339 with nanoseconds', () => {
  const cases: readonly (readonly [string, number, number, string])[] = [
    ['2020-01-02T03:04:05.678901234Z', 1577934245, 678901234, '2020-01-02T03:04:05.678901234Z'],
    ['1970-01-01T00:00:00Z', 0, 0, '1970-01-01T00:00:00Z'],
    ['1969-12-31T23:59:59.5Z', -1, 500_000_000, '1969-12-31T23:59:59.5Z'],
    ['0001-01-01T00:00:00Z', -62_135_596_800, 0, '0001-01-01T00:00:00Z'],
    ['0000-01-01T00:00:00Z', -62_167_219_200, 0, '0000-01-01T00:00:00Z'],
    ['9999-12-31T23:59:59Z', 253_402_300_799, 0, '9999-12-31T23:59:59Z'],
    ['2026-11-22T02:45:16.886055028+02:00', 1795308316, 886055028, '2026-11-22T02:45:16.886055028+02:00'],
    ['2026-11-21T22:15:16-02:30', 1795308316, 0, '2026-11-21T22:15:16-02:30'],
    ['2026-11-22T00:45:16.250-00:00', 1795308316, 250_000_000, '2026-11-22T00:45:16.25Z'],
    ['2020-02-29T00:00:00.100Z', 1582934400, 100_000_000, '2020-02-29T00:00:00.1Z'],
    ['2020-01-02T03:04:05.0000000019Z', 1577934245, 1, '2020-01-02T03:04:05.000000001Z'],
  ]
  for (const [text, seconds, nanos, printed] of cases) {
    assert.deepEqual(parseTime(text), { seconds, nanos }, text)
    assert.equal(rewriteTime(text), printed, text)
  }
})

test('what is no time', () => {
  for (const text of [
    '',
    '2020-01-02',
    '2020-01-02 03:04:05Z',
    '2020-01-02T03:04:05',
    '2020-13-02T03:04:05Z',
    '2020-00-02T03:04:05Z',
    '2021-02-29T00:00:00Z',
    '2020-04-31T00:00:00Z',
    '2020-01-00T00:00:00Z',
    '2020-01-02T24:00:00Z',
    '2020-01-02T03:60:05Z',
    '2020-01-02T03:04:60Z',
    '2020-01-02T03:04:05.Z',
    '2020-01-02T03:04:05+24:00',
    '2020-01-02T03:04:05Z\n',
    '02020-01-02T03:04:05Z',
  ]) {
    assert.equal(parseTime(text), undefined, text)
    assert.equal(rewriteTime(text), undefined, text)
  }
})

test('property: times come back, and whole milliseconds agree with Date', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -62_000_000_000, max: 253_000_000_000 }),
      fc.integer({ min: 0, max: 999_999_999 }),
      (seconds, nanos) => {
        const fraction = `${nanos}`.padStart(9, '0')
        const text = new Date(seconds * 1000).toISOString().replace('.000Z', `.${fraction}Z`)
        assert.deepEqual(parseTime(text), { seconds, nanos })
        assert.equal(Math.floor(Date.parse(text) / 1000), seconds)
      },
    ),
  )
})
