/** Clients of registries for tests: quick about waiting, and gone with the test. */

import { parseReference, type Reference } from '../../src/oci/reference.js'
import { RegistryClient } from '../../src/registry/client.js'
import type { Credential } from '../../src/registry/credential.js'
import type { RegistryOptions } from '../../src/registry/options.js'
import type { Repository } from '../../src/registry/repository.js'
import type { Ending } from './fake-registry.js'

export const quick = { attempts: 3, baseMs: 5, longestMs: 1000 } as const

export function clientOf(t: Ending, options: RegistryOptions = {}): RegistryClient {
  const client = new RegistryClient({ retries: quick, certificates: '/nonexistent', ...options })
  t.after(() => client.close())
  return client
}

/** The repository `a/b` of a server, with a client of its own. */
export function repositoryOf(t: Ending, { host }: { readonly host: string }, options?: RegistryOptions): Repository {
  return clientOf(t, options).repository(referenceTo(host))
}

export function referenceTo(host: string, path = 'a/b'): Reference {
  return parseReference(`${host}/${path}`)
}

/** The same credential for the keys that are named, and none for others. */
export function credentialsFor(key: string, credential: Credential) {
  return { get: async (asked: string) => (asked === key ? credential : undefined) }
}

export const alice: Credential = { kind: 'password', username: 'alice', password: 'secret' }

export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts)
}
