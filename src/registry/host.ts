/**
 * Hosts of registries in one spelling: lower case, an address in its canonical form (`0x7f.1` is `127.0.0.1`), no dot at
 * the end, no port that is https's own. Credentials and policies are looked up by it, so that two spellings of a host are
 * never two hosts, and two hosts never one.
 */
import { isIP } from 'node:net'
import { PhylloError } from '../errors.js'
import { quoted } from '../oci/quoted.js'

/** What a host and port are made of: no user, path, query, IPv6 zone, nor letters beyond ASCII. */
const hostGrammar = /^[A-Za-z0-9._:[\]-]{1,262}$/

/** `host[:port]` in its one spelling; undefined for what is no host. */
export function canonicalHost(text: string): string | undefined {
  if (!hostGrammar.test(text) || !URL.canParse(`https://${text}`)) return undefined
  const { hostname, port } = new URL(`https://${text}`)
  const name = hostname.replace(/\.$/, '')
  return name === '' ? undefined : port === '' ? name : `${name}:${port}`
}

/** The same of what must be one. @throws REFERENCE_INVALID */
export function requireHost(text: string): string {
  const host = canonicalHost(text)
  if (host === undefined) throw new PhylloError('REFERENCE_INVALID', `${quoted(text)} is not the host of a registry`)
  return host
}

/** The name or address alone, without brackets, port and the dot at the end. */
export function nameOf(url: URL): string {
  return url.hostname.replace(/\.$/, '').replace(/^\[(.*)\]$/, '$1')
}

/** The address that a URL names without asking anybody; undefined for a name. */
export function literalAddress(url: URL): string | undefined {
  const name = nameOf(url)
  return isIP(name) === 0 ? undefined : name
}

/** `localhost` and what is below it, which every system keeps to itself (RFC 6761). */
export function isLocalhost(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost')
}
