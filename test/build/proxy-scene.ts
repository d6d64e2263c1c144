/** A registry that only a proxy can resolve, and reads of it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { PhylloError } from '../../src/errors.js'
import type { Digest } from '../../src/oci/digest.js'
import type { RegistryOptions } from '../../src/registry/options.js'
import { certificate } from './certificate.js'
import { FakeRegistry, resolver, sha256 } from './fake-registry.js'
import { type ProxyOptions, TestProxy } from './proxy.js'
import { alice, bytesOf, clientOf, credentialsFor, referenceTo } from './registry-client.js'

export const blob: { readonly digest: Digest; readonly sizeBytes: number } = { digest: sha256('content'), sizeBytes: 7 }
export const get = `GET /v2/a/b/blobs/${blob.digest}`

export interface Scene {
  readonly tls?: boolean
  readonly proxy?: ProxyOptions
  /** `user:password` in the proxy's URL. */
  readonly user?: string | undefined
  readonly noProxy?: string
  readonly options?: RegistryOptions
  /** Names that this machine can resolve. */
  readonly names?: Readonly<Record<string, string>>
}

/** A registry `registry.test` that wants alice, behind a proxy; nobody but the proxy can resolve the name. */
export async function scene(
  t: TestContext,
  { tls = true, proxy: how = {}, user, noProxy = '', options, names }: Scene = {},
) {
  const fake = await FakeRegistry.start(t, { tls })
  fake.addBlob('content')
  fake.guard = ({ headers }) =>
    headers.authorization ? undefined : { status: 401, headers: { 'www-authenticate': 'Basic realm=x' } }
  const proxy = await TestProxy.start(t, how)
  const url = user === undefined ? proxy.origin : proxy.urlFor(user)
  const host = `registry.test:${fake.port}`
  const lookup = resolver(names ?? {})
  const client = clientOf(t, {
    ...{ lookup, ca: [certificate], credentials: credentialsFor(host, alice) },
    ...{ proxies: { http: url, https: url, noProxy }, ...(!tls && { insecureRegistries: [host] }) },
    ...options,
  })
  const repository = client.repository(referenceTo(host))
  return { fake, proxy, host, lookup, repository, read: () => bytesOf(repository.blob(blob)) }
}

/** What the work fails with. */
export const failure = (work: Promise<unknown>) =>
  work.then(
    () => assert.fail('it has not failed'),
    (error: PhylloError) => error,
  )
