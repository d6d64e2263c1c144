/**
 * The matrix of leaks, where two servers are asked in one piece of work: a registry and its mirror, the source and the
 * target of a copy. Each has credentials of its own, and each names the other one wherever it can. Whatever they do, no
 * secret of one is in anything that the other is sent.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { copyRemote } from '../../src/distribution/copy-remote.js'
import { Mirrors } from '../../src/distribution/mirrors.js'
import { endpointsOf, fromFirst } from '../../src/distribution/plan.js'
import { defaultLimits } from '../../src/limits.js'
import { parseReference } from '../../src/oci/reference.js'
import { Operation } from '../../src/operation.js'
import type { RegistryClient } from '../../src/registry/client.js'
import type { Credential } from '../../src/registry/credential.js'
import { type Ending, FakeRegistry, type Routes, sha256 } from '../build/fake-registry.js'
import { bytesOf, clientOf, quick } from '../build/registry-client.js'
import { give, type MadeManifest, madeManifest } from '../build/remote-image.js'

type Kind = 'password' | 'identity' | 'ready'
const kinds: readonly Kind[] = ['password', 'identity', 'ready']

/** Of one server: all that is secret begins with its name. */
function credentialOf(owner: string, kind: Kind): Credential {
  if (kind === 'ready') return { kind: 'registry', token: `${owner}-S3cret-ready` }
  if (kind === 'identity') return { kind, username: owner, token: `${owner}-S3cret-identity` }
  return { kind, username: owner, password: `${owner}-S3cret-password` }
}

function secretsOf(owner: string): string[] {
  const password = Buffer.from(`${owner}:${owner}-S3cret-password`).toString('base64')
  return [password, ...['password', 'identity', 'ready', 'issued'].map(what => `${owner}-S3cret-${what}`)]
}

const ending: (() => Promise<void> | void)[] = []
const end: Ending = { after: work => void ending.push(work) }
after(async () => {
  for (const work of ending.reverse()) await work()
})

let one: FakeRegistry
let two: FakeRegistry
before(async () => {
  ;[one, two] = [await FakeRegistry.start(end), await FakeRegistry.start(end)]
})

const json = { 'content-type': 'application/json' }
const to = (location: string) => ({ status: 307, headers: { location } })
const content = sha256('content')
const made: MadeManifest = madeManifest('leaks', ['content'])

interface Lure {
  /** Its own answers, given the other's origin. */
  readonly routes?: (other: string) => Routes
  /** It demands credentials by naming the other's token server. */
  readonly realm?: boolean
}

/** Each names the other one there. */
const lures: Readonly<Record<string, Lure>> = {
  'nothing but 404': { routes: () => [[/(blobs|manifests)\/[^/]+$/, { status: 404 }]] },
  realm: { realm: true },
  'redirect of the ping': { routes: other => [['GET /v2/', to(`${other}/v2/`)]] },
  'redirect of everything that is read': {
    routes: other => [[/^(GET|HEAD) .*(blobs|manifests)/, to(`${other}/landed`)]],
  },
  'location of an upload': { routes: other => [[/^POST/, { status: 202, headers: { location: `${other}/up` } }]] },
  'redirect of an upload': { routes: other => [[/^(POST|PUT)/, to(`${other}/up`)]] },
  'redirect of its token request': { routes: other => [[/ \/token/, to(`${other}/token`)]] },
}

const works: Readonly<Record<string, (client: RegistryClient, op: Op) => Promise<unknown>>> = {
  'a pull by a mirror': (client, op) => {
    const mirrors = new Mirrors({ mirrors: [{ host: one.host, endpoints: [two.origin] }] })
    const reading = endpointsOf(parseReference(`${one.host}/a/b`), client, mirrors)
    return fromFirst(reading, ({ repository }) => bytesOf(repository.blob({ digest: content, sizeBytes: 7 })), op)
  },
  'a copy': (client, op) =>
    copyRemote(`${one.host}/a/b:v1`, `${two.host}/c/d:v1`, { referrers: true }, { client, limits: defaultLimits }, op),
}
type Op = Parameters<typeof copyRemote>[4]

function arm(
  fake: FakeRegistry,
  owner: string,
  scheme: 'basic' | 'bearer',
  lure: Lure | undefined,
  other: string,
): void {
  const realm = lure?.realm === true ? other : fake.origin
  const challenge = scheme === 'basic' ? 'Basic realm=x' : `Bearer realm="${realm}/token",service="${owner}"`
  fake.seen.length = 0
  fake.forget()
  fake.route([
    ...(lure?.routes?.(other) ?? []),
    // A token that is worth something is for whoever shows something.
    [
      / \/token/,
      ({ method, headers }) => {
        const token = method === 'POST' || headers.authorization ? `${owner}-S3cret-issued` : 'anonymous'
        return { headers: json, body: JSON.stringify({ token, refresh_token: `${owner}-S3cret-identity` }) }
      },
    ],
    [/ \/(landed|up)/, { status: 401, headers: { 'www-authenticate': challenge } }],
  ])
  fake.guard = ({ url, headers }) =>
    url.startsWith('/token') || headers.authorization !== undefined
      ? undefined
      : lure?.routes !== undefined && /^\/v2\/$/.test(url) && lure === lures['redirect of the ping']
        ? undefined
        : { status: 401, headers: { 'www-authenticate': challenge } }
}

let cells = 0
let asked = 0
for (const [work, run] of Object.entries(works))
  for (const [place, lure] of Object.entries(lures))
    for (const who of ['one', 'two', 'both'] as const)
      for (const kind of kinds)
        for (const scheme of ['basic', 'bearer'] as const) {
          // Basic has no token server, and who only reads has no uploads.
          if (scheme === 'basic' && /realm|token/.test(place)) continue
          if (work === 'a pull by a mirror' && place.endsWith('upload')) continue
          cells++
          test(`${work}: ${place} of ${who}, ${kind}, ${scheme}`, async t => {
            arm(one, 'one', scheme, who === 'two' ? undefined : lure, two.origin)
            arm(two, 'two', scheme, who === 'one' ? undefined : lure, one.origin)
            two.manifests.clear()
            two.blobs.clear()
            give(one, made, 'v1')
            const keys = new Map([
              [one.host, credentialOf('one', kind)],
              [two.host, credentialOf('two', kind)],
            ])
            const client = clientOf(t, {
              retries: { ...quick, attempts: 1 },
              credentials: { get: async key => keys.get(key) },
            })
            const operation = new Operation(op => run(client, op))
            await operation.catch(() => undefined)
            asked += one.seen.length > 0 && two.seen.length > 0 ? 1 : 0
            for (const [fake, other] of [
              [one, 'two'],
              [two, 'one'],
            ] as const)
              for (const seen of fake.seen)
                for (const secret of secretsOf(other))
                  assert.ok(!seen.text.includes(secret), `${secret} in\n${seen.text}`)
          })
        }

test('the matrix is not empty: both are asked in most of its cells, and each is given its own secrets', async t => {
  assert.ok(cells >= 120, `${cells}`)
  assert.ok(asked > cells / 2, `${asked} of ${cells}`)
  for (const [work, run] of Object.entries(works))
    for (const kind of kinds) {
      arm(one, 'one', 'bearer', undefined, two.origin)
      arm(two, 'two', 'bearer', work === 'a copy' ? undefined : lures['nothing but 404'], one.origin)
      two.manifests.clear()
      two.blobs.clear()
      give(one, made, 'v1')
      const keys = new Map([
        [one.host, credentialOf('one', kind)],
        [two.host, credentialOf('two', kind)],
      ])
      const client = clientOf(t, { credentials: { get: async key => keys.get(key) } })
      await new Operation(op => run(client, op))
      for (const [fake, owner] of [
        [one, 'one'],
        [two, 'two'],
      ] as const)
        assert.ok(
          fake.seen.some(({ text }) => secretsOf(owner).some(secret => text.includes(secret))),
          `${work}, ${kind}, ${owner}`,
        )
    }
})

test('a mirror of Docker Hub is not given what is kept for Docker Hub', async t => {
  for (const kind of kinds)
    for (const scheme of ['basic', 'bearer'] as const) {
      arm(two, 'two', scheme, undefined, one.origin)
      const client = clientOf(t, {
        retries: { ...quick, attempts: 1 },
        credentials: { get: async key => (key.includes('docker.io') ? credentialOf('hub', kind) : undefined) },
      })
      const reading = endpointsOf(parseReference('alpine'), client, new Mirrors({ registryMirrors: [two.origin] }))
      await reading[0]!.repository.manifest('latest').catch(() => undefined)
      assert.ok(two.seen.length > 0)
      for (const seen of two.seen)
        for (const secret of secretsOf('hub')) assert.ok(!seen.text.includes(secret), `${secret} in\n${seen.text}`)
    }
})
