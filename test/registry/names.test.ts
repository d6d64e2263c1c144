/** Names, addresses and header texts: what is read out of what others write. Vectors of the specs and of Go's clients. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseReference } from '../../src/oci/reference.js'
import { addressKind, subnets } from '../../src/registry/address.js'
import { chooseChallenge, parseChallenges } from '../../src/registry/challenge.js'
import { endpointAt, endpointOf } from '../../src/registry/endpoint.js'
import { canonicalHost } from '../../src/registry/host.js'
import { InsecureRegistries } from '../../src/registry/insecure.js'
import { nextLink } from '../../src/registry/link.js'
import { retryAfterMs } from '../../src/registry/patience.js'
import { realmOf } from '../../src/registry/realm.js'
import { said, shownUrl } from '../../src/registry/shown.js'
import { expiryOf } from '../../src/registry/token.js'
import { resolver } from '../build/fake-registry.js'

const secure = { insecure: false }

test('where the registry of a reference answers, and what its credentials stand under', () => {
  for (const [text, base, key] of [
    ['alpine', 'https://registry-1.docker.io/', 'https://index.docker.io/v1/'],
    ['docker.io/a/b', 'https://registry-1.docker.io/', 'https://index.docker.io/v1/'],
    ['index.docker.io/a/b', 'https://registry-1.docker.io/', 'https://index.docker.io/v1/'],
    ['quay.io/a/b', 'https://quay.io/', 'quay.io'],
    ['reg.example:5000/x', 'https://reg.example:5000/', 'reg.example:5000'],
    ['[::1]:5000/x', 'https://[::1]:5000/', '[::1]:5000'],
  ] as const) {
    const { bases, credentialKey } = endpointOf(parseReference(text).domain, secure)
    assert.deepEqual([bases.map(String), credentialKey], [[base], key])
  }
  const { bases } = endpointOf('localhost:5000', { insecure: true })
  assert.deepEqual(bases.map(String), ['https://localhost:5000/', 'http://localhost:5000/'])
})

test('a mirror: its own URL, its own credentials', () => {
  const { bases, credentialKey, realms } = endpointAt('http://mirror.example:81/path', secure)
  assert.deepEqual(
    [bases.map(String), credentialKey, realms],
    [['http://mirror.example:81/path/'], 'mirror.example:81', []],
  )
  for (const bad of ['mirror.example', 'ftp://x/', 'https://u:p@x/', 'https://x/?q', 'https://x/#f', '']) {
    assert.throws(() => endpointAt(bad, secure), TypeError)
  }
})

test('G12: one spelling a host', () => {
  for (const [text, host] of [
    ['EXAMPLE.com', 'example.com'],
    ['example.com:443', 'example.com'],
    ['example.com.', 'example.com'],
    ['example.com:80', 'example.com:80'],
    ['0x7f.1', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['0177.0.0.1:5000', '127.0.0.1:5000'],
    ['[0:0::1]:5000', '[::1]:5000'],
    ['[fe80::1%25eth0]', undefined],
    ['user@example.com', undefined],
    ['exämple.com', undefined],
    ['ехample.com', undefined],
    ['example.com/path', undefined],
    ['example.com:99999', undefined],
    ['', undefined],
    ['.', undefined],
  ] as const)
    assert.equal(canonicalHost(text), host, text)
})

test('G2: addresses: everybody’s, this network’s, nobody’s', () => {
  for (const [kind, addresses] of [
    ['public', '1.1.1.1 93.184.216.34 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808 172.32.0.1 100.128.0.1'],
    [
      'private',
      '10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 127.0.0.1 127.9.9.9 100.64.0.1 ::1 fd00::1 2002::1 ::ffff:10.0.0.1 64:ff9b::a00:1',
    ],
    [
      'forbidden',
      '169.254.169.254 0.0.0.0 0.1.2.3 224.0.0.1 255.255.255.255 :: fe80::1 ff02::1 fd00:ec2::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 100.100.100.200 192.0.0.1',
    ],
  ] as const)
    for (const address of addresses.split(' ')) assert.equal(addressKind(address), kind, address)
})

test('insecure: what the user names, by host and port or subnet, and this machine', async () => {
  const lookup = resolver({
    'in.test': '10.1.2.3',
    'out.test': '11.1.2.3',
    'reg.test': '127.0.0.1',
    localhost: '127.0.0.1',
  })
  const policy = new InsecureRegistries(['Reg.example:5000', '10.0.0.0/8', 'fd00::/8'], lookup)
  for (const [host, insecure] of [
    ['reg.example:5000', true],
    ['reg.example', false],
    ['reg.example:5001', false],
    ['127.0.0.1:1', true],
    ['127.1.2.3', true],
    ['[::1]:5000', true],
    ['localhost:5000', true],
    ['a.localhost', true],
    ['10.9.9.9', true],
    ['11.9.9.9', false],
    ['[fd00::9]', true],
    ['in.test', true],
    ['out.test', false],
    ['nowhere.test', false],
    // Docker takes this one: but who answers for its DNS says so, and nobody else.
    ['reg.test', false],
  ] as const)
    assert.equal((await policy.of(new URL(`https://${host}/`))).insecure, insecure, host)
  const { allows } = await policy.of(new URL('https://in.test/'))
  assert.deepEqual([allows?.('10.3.3.3'), allows?.('11.1.1.1')], [true, false])
  for (const bad of ['a/b', '10.0.0.0/33', 'x y', 'http://x'])
    assert.throws(() => new InsecureRegistries([bad], lookup), TypeError)
  assert.throws(() => subnets(['1.2.3.4/']), TypeError)
})

test('challenges as servers write them', () => {
  const parse = (...texts: string[]) =>
    parseChallenges(texts).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])
  assert.deepEqual(
    parse('Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'),
    [
      [
        'bearer',
        { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:a/b:pull,push' },
      ],
    ],
  )
  assert.deepEqual(parse('Basic realm="Registry Realm"'), [['basic', { realm: 'Registry Realm' }]])
  assert.deepEqual(parse('BASIC REALM=x'), [['basic', { realm: 'x' }]])
  assert.deepEqual(parse('Bearer realm="a\\"b\\\\c" , service = x'), [['bearer', { realm: 'a"b\\c', service: 'x' }]])
  assert.deepEqual(parse('Negotiate', 'Negotiate dG9rZW4=', 'Bearer realm=x'), [
    ['negotiate', {}],
    ['negotiate', {}],
    ['bearer', { realm: 'x' }],
  ])
  assert.deepEqual(parse('Digest realm="r", nonce="a,b", Basic realm="s"'), [
    ['digest', { realm: 'r', nonce: 'a,b' }],
    ['basic', { realm: 's' }],
  ])
  assert.deepEqual(parse('Bearer realm="x",error="invalid_token",'), [
    ['bearer', { realm: 'x', error: 'invalid_token' }],
  ])
  assert.deepEqual(parse(''), [])
  assert.equal(chooseChallenge(parseChallenges(['Negotiate, Bearer realm=b, Basic realm=c']))?.scheme, 'bearer')
  assert.equal(chooseChallenge(parseChallenges(['Negotiate, Digest realm=b'])), undefined)
})

test('G4: challenges that are none, too many, too long, or mean two things', () => {
  for (const text of [
    'realm="x"',
    'Bearer realm="x',
    'Bearer a=b, realm=',
    'Bearer realm="x\x01"',
    'Bearer realm="a",realm="b"',
    '"x"',
    `Bearer realm="${'x'.repeat(10_000)}"`,
    'Basic realm=x,'.repeat(100),
  ])
    assert.throws(() => parseChallenges([text]), { code: 'REGISTRY_PROTOCOL' }, text.slice(0, 40))
  const started = performance.now()
  for (const char of ['a', '=', '"', '\\', ' ', ',', 'a=', '="'])
    assert.doesNotThrow(() => {
      try {
        parseChallenges([`Bearer ${char.repeat(4000 / char.length)}`])
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'REGISTRY_PROTOCOL')
      }
    })
  assert.ok(performance.now() - started < 1000)
})

test('G1, G2: token servers: who gets credentials, who is asked without, who is not asked', () => {
  const trust = (realm: string, base = 'https://registry.example.com/', realms: string[] = []) => {
    const url = new URL(base)
    const endpoint = { host: url.host, bases: [url], insecure: false, credentialKey: url.host, realms }
    try {
      return realmOf(realm, endpoint, url).trusted
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  for (const realm of [
    'https://registry.example.com/token',
    'https://example.com/jwt',
    'https://auth.registry.example.com/',
    'https://registry.example.com:5001/t',
  ])
    assert.equal(trust(realm), true, realm)
  for (const realm of [
    'https://auth.example.com/t',
    'https://com/',
    'https://example.org/',
    'https://registry.example.com.evil.org/',
    'https://evilregistry.example.com/',
    'https://xexample.com/',
  ])
    assert.equal(trust(realm), false, realm)
  for (const realm of [
    'http://registry.example.com/t',
    'file:///etc/passwd',
    'gopher://x/',
    'https://u:p@registry.example.com/',
    'not a url',
    '',
    'javascript:x',
    '/token',
  ])
    assert.equal(trust(realm), 'REGISTRY_AUTH', realm)
  assert.equal(trust('https://auth.example.com/t', undefined, ['AUTH.example.com']), true)
  assert.equal(trust('https://auth.example.com:81/t', undefined, ['auth.example.com']), false)
  assert.equal(trust('http://127.0.0.1:5000/t', 'http://127.0.0.1:5000/'), true)
  assert.equal(trust('http://127.0.0.1:5001/t', 'http://127.0.0.1:5000/'), false)
  assert.equal(trust('https://127.0.0.1:5001/t', 'https://127.0.0.1:5000/'), false)
  assert.equal(trust('https://localhost:5001/t', 'https://localhost:5000/'), false)
  const hub = endpointOf('docker.io', secure)
  assert.equal(realmOf('https://auth.docker.io/token', hub, hub.bases[0]!).trusted, true)
  assert.equal(realmOf('https://auth.docker.com/token', hub, hub.bases[0]!).trusted, false)
})

test('Retry-After: seconds or a date; what is past, and nonsense, is none', () => {
  const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT')
  for (const [text, ms] of [
    ['120', 120_000],
    ['0', 0],
    ['Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
    ['Wed, 21 Oct 2026 07:27:30 GMT', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e9', undefined],
    ['9'.repeat(30), undefined],
    ['soon', undefined],
    [undefined, undefined],
  ] as const)
    assert.equal(retryAfterMs(text, now), ms, text)
})

test('G8: how long a token lives: 60 seconds at least, a day at most, whatever it says', () => {
  const now = 1_000_000_000
  const lives = (seconds: unknown, issued?: unknown) => (expiryOf(seconds, issued, now) - now) / 1000 + 5
  for (const wrong of [undefined, -1, 0, 59, 1e-9, '300', {}, null, Number.NaN]) assert.equal(lives(wrong), 60)
  assert.equal(lives(300), 300)
  assert.equal(lives(1e99), 86_400)
  assert.equal(lives(300, new Date(now - 100_000).toISOString()), 200)
  assert.equal(lives(300, new Date(now + 100_000).toISOString()), 300)
  assert.equal(lives(300, 'yesterday'), 300)
})

test('links: the next page, among others', () => {
  for (const [text, next] of [
    ['</v2/_catalog?last=b&n=2>; rel="next"', '/v2/_catalog?last=b&n=2'],
    ['<a>; rel=prev, <b,c>; title="x, y"; REL="first Next"', 'b,c'],
    ['<a>; rel=nextish', undefined],
    ['a; rel=next', undefined],
    ['', undefined],
  ] as const)
    assert.equal(nextLink([text]), next)
  assert.throws(() => nextLink([`<${'a'.repeat(9000)}>; rel=next`]), { code: 'REGISTRY_PROTOCOL' })
})

test('G10: what is shown of a URL, and of what a server says', () => {
  assert.equal(
    shownUrl(new URL('https://u:p@h.test/a?X-Amz-Signature=s#f')),
    'https://h.test/a?…'.replace('…', '\u2026'),
  )
  assert.equal(said('see https://u:p@h.test/x?sig=s&t=1 now'), 'see https://h.test/x?\u2026 now')
  assert.equal(said('\x1b[31mred\r\n\ttext\x07 "quoted"'), '\\u001b[31mred text\\u0007 "quoted"')
  assert.ok(said('x'.repeat(1e6)).length < 8192)
})
