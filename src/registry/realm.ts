/**
 * The token server that a registry names, and whether it may have the registry's credentials. The name is the registry's
 * word alone: whoever can change it (a proxy, a redirect, an attacker) would otherwise be sent the password.
 *
 * Credentials go to the registry's own origin, to its own name at another https port, to a host above or below it in the
 * DNS (registry.gitlab.com → gitlab.com), and to hosts that the endpoint lists (auth.docker.io for Docker Hub, the user's
 * `realms`). A sibling is not enough: without a list of public suffixes nobody can tell one organisation's names from two
 * tenants'. Everybody else is asked without credentials.
 */
import { PhylloError } from '../errors.js'
import type { Endpoint } from './endpoint.js'
import { canonicalHost, isLocalhost, literalAddress, nameOf } from './host.js'
import { said, shownUrl } from './shown.js'

export interface Realm {
  readonly url: URL
  readonly trusted: boolean
}

/** What to say of credentials that a token server was not given. */
export function withheld(host: string): string {
  return `its credentials are not given to ${host}, which is no host of its own (see the option realms)`
}

/** @throws REGISTRY_AUTH for what no token server can be at */
export function realmOf(text: string | undefined, endpoint: Endpoint, base: URL): Realm {
  const refuse = (reason: string): never => {
    const realm = text === undefined ? undefined : URL.canParse(text) ? shownUrl(new URL(text)) : said(text)
    const facts = { host: endpoint.host, ...(realm !== undefined && { realm }) }
    throw new PhylloError('REGISTRY_AUTH', `${endpoint.host} names a token server ${reason}: ${realm ?? 'none'}`, facts)
  }
  if (text === undefined || !URL.canParse(text)) return refuse('that is no URL')
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return refuse('with a user in it')
  // http is for registries that are asked over http themselves: anything else would be a downgrade.
  if (url.protocol !== 'https:' && (url.protocol !== 'http:' || base.protocol !== 'http:'))
    return refuse('that is not https')
  url.hash = ''
  return { url, trusted: isTrusted(url, endpoint, base) }
}

function isTrusted(url: URL, { realms }: Endpoint, base: URL): boolean {
  if (url.origin === base.origin) return true
  const host = canonicalHost(url.host)
  if (host !== undefined && realms.some(realm => canonicalHost(realm) === host)) return true
  if (url.protocol !== 'https:') return false
  const [theirs, ours] = [nameOf(url), nameOf(base)]
  // An address or this machine is many servers, one a port; a name is one owner's.
  if ([url, base].some(one => literalAddress(one) !== undefined) || isLocalhost(theirs) || isLocalhost(ours))
    return false
  return theirs === ours || isBelow(theirs, ours) || isBelow(ours, theirs)
}

/** Below a name of at least two labels: everything is below a top-level domain. */
function isBelow(name: string, upper: string): boolean {
  return upper.includes('.') && name.endsWith(`.${upper}`)
}
