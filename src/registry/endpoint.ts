/**
 * Where the registry of a reference answers: its base URLs in the order in which they are tried, the key that its
 * credentials stand under, and how much its certificate counts.
 */

import { requireHost } from './host.js'
import type { Security } from './insecure.js'
import { refuseOption } from './options.js'

export interface Endpoint extends Security {
  /** `host[:port]`, canonical: for messages and facts. */
  readonly host: string
  /** Each ends with a slash; `v2/…` follows. The first that answers is taken. */
  readonly bases: readonly URL[]
  /** Of config.json and of credential helpers, as Docker writes it. */
  readonly credentialKey: string
  /** Hosts, besides its own, that may ask for its credentials. */
  readonly realms: readonly string[]
}

/** The registry of references that name none. */
export const hubDomain = 'docker.io'
/** What its credentials are kept under. */
export const hubKey = 'https://index.docker.io/v1/'

/** Docker Hub is the one registry whose name is neither its API's host nor its credentials' key. */
const hub = {
  domain: hubDomain,
  host: 'registry-1.docker.io',
  searchHost: 'index.docker.io',
  credentialKey: hubKey,
  realms: ['auth.docker.io'],
} as const

/** Host of the API of the registry that a reference names by its domain. @throws REFERENCE_INVALID */
export function apiHost(domain: string): string {
  return domain === hub.domain ? hub.host : requireHost(domain)
}

/** Host that is searched, which is another one for Docker Hub alone. @throws REFERENCE_INVALID */
export function searchHost(domain: string): string {
  return domain === hub.domain ? hub.searchHost : requireHost(domain)
}

/** The endpoint of a registry; `host` is that of its API, or the one that is searched. */
export function endpointOf(
  domain: string,
  security: Security,
  { realms = [], host = apiHost(domain) }: { readonly realms?: readonly string[]; readonly host?: string } = {},
): Endpoint {
  // Docker's order: https, whose certificate counts for nothing here, then http.
  const schemes = security.insecure ? ['https', 'http'] : ['https']
  const isHub = domain === hub.domain
  return {
    ...security,
    host,
    bases: schemes.map(scheme => new URL(`${scheme}://${host}/`)),
    credentialKey: isHub ? hub.credentialKey : domain,
    realms: isHub ? [...hub.realms, ...realms] : realms,
  }
}

/**
 * The endpoint at a URL that says all of it, as mirrors are named. Its credentials are those of its own host, never those
 * of the registry that it mirrors. @throws TypeError unless it is http or https without user, query and fragment
 */
export function endpointAt(text: string, security: Security, realms: readonly string[] = []): Endpoint {
  const base = baseUrl(text)
  return { ...security, host: base.host, bases: [base], credentialKey: base.host, realms }
}

/** @throws TypeError */
export function baseUrl(text: string): URL {
  if (!URL.canParse(text)) return refuseOption(`endpoint ${JSON.stringify(text)} is not a URL`)
  const url = new URL(text)
  const bare = url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (!/^https?:$/.test(url.protocol) || !bare)
    return refuseOption(`endpoint ${JSON.stringify(text)} is not http or https without user, query and fragment`)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/`
  return url
}
