/** Logging in and out as Docker's command line does: asked of the registry first, then kept where Docker keeps it. */
import { inTurn } from '../endings.js'
import { PhylloError } from '../errors.js'
import type { Credential, CredentialSource, CredentialStore } from '../registry/credential.js'
import { hubDomain, hubKey } from '../registry/endpoint.js'
import { requireHost } from '../registry/host.js'
import type { Registries } from './connect.js'

export interface LoginOptions {
  /** With its password; without both, what is kept for the registry is tried. */
  readonly username?: string
  readonly password?: string
  readonly signal?: AbortSignal
}

export interface LoggedIn {
  /** What the credentials are kept under: `https://index.docker.io/v1/`, or `host[:port]`. */
  readonly server: string
  readonly username: string
  /** The registry's token server gave an identity token, which is kept instead of the password. */
  readonly identityToken: boolean
  /** Path of a file in which the password now stands unencrypted. */
  readonly unencryptedIn?: string
}

interface Server {
  readonly domain: string
  readonly key: string
}

/** A registry as users name it, to the command line: a host or a URL, whose path says nothing. @throws REFERENCE_INVALID */
export function serverOf(text: string | undefined): Server {
  // As Docker reduces it.
  const host = (text ?? '').replace(/^[a-z][a-z0-9+.-]*:\/\/(?:[^/@]*@)?/i, '').split('/')[0]!
  if (['', hubDomain, `index.${hubDomain}`].includes(host)) return { domain: hubDomain, key: hubKey }
  requireHost(host)
  return { domain: host, key: host }
}

/** @throws TypeError, REGISTRY_AUTH for credentials that are refused, or not there; REGISTRY_ codes */
export async function login(
  registry: string | undefined,
  { username, password, signal }: LoginOptions,
  { client, credentials }: Registries,
): Promise<LoggedIn> {
  const { domain, key } = serverOf(registry)
  const store = storeOf(credentials)
  const given = username === undefined && password === undefined ? undefined : givenOf(username, password)
  const credential = given ?? (await credentials.get(key, signal))
  if (credential === undefined) {
    const message = `${key}: no credentials are kept for it: give a user name and a password`
    throw new PhylloError('REGISTRY_AUTH', message, { host: domain })
  }
  const identity = await client.login(domain, credential, { signal })
  const name = credential.kind === 'registry' ? '' : credential.username
  const kept: Credential = identity === undefined ? credential : { kind: 'identity', username: name, token: identity }
  // Whoever asks from now on does so with these.
  const unencryptedIn = await store.set(key, kept, signal).finally(() => client.forgetCredentials())
  return {
    ...{ server: key, username: name, identityToken: kept.kind === 'identity' },
    ...(unencryptedIn !== undefined && kept.kind === 'password' && { unencryptedIn }),
  }
}

export interface LoggedOut {
  /** As `LoggedIn` has it. */
  readonly server: string
  /** False: no credentials were kept. */
  readonly erased: boolean
}

/** Takes away what Docker's would, however it is written. @throws TypeError, REGISTRY_CREDENTIALS */
export async function logout(
  registry: string | undefined,
  { signal }: Pick<LoginOptions, 'signal'>,
  { client, credentials }: Registries,
): Promise<LoggedOut> {
  const { domain, key } = serverOf(registry)
  const store = storeOf(credentials)
  const keys = domain === hubDomain ? [key] : new Set([registry ?? key, key, `http://${key}`, `https://${key}`])
  let erased = false
  const steps = [...keys].map(one => async () => {
    if (await store.erase(one, signal)) erased = true
  })
  await inTurn(steps).finally(() => client.forgetCredentials())
  return { server: key, erased }
}

/** Whose credentials are kept for a registry; undefined: none. */
export async function userOf(
  registry: string | undefined,
  { signal }: Pick<LoginOptions, 'signal'>,
  { credentials }: Registries,
): Promise<string | undefined> {
  const credential = await credentials.get(serverOf(registry).key, signal)
  return credential === undefined ? undefined : credential.kind === 'registry' ? '' : credential.username
}

function givenOf(username: unknown, password: unknown): Credential {
  if (typeof username !== 'string' || username === '' || typeof password !== 'string' || password === '')
    throw new TypeError('login: a user name and a password, neither of them empty')
  if (username.includes(':')) throw new TypeError('login: a user name has no colon')
  return { kind: 'password', username, password }
}

function storeOf(credentials: CredentialSource): CredentialStore {
  const store = credentials as Partial<CredentialStore>
  if (typeof store.set === 'function' && typeof store.erase === 'function') return store as CredentialStore
  throw new TypeError('registry.credentials keeps nothing: it has no set() and erase()')
}
