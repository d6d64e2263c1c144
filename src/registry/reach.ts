/**
 * How a server may be reached, and whether it may be at all: the registry itself, because the user named it, or another
 * one, because the registry said so. Each origin has its own policy; that of the registry goes nowhere else.
 */
import { type ErrorCode, PhylloError } from '../errors.js'
import { addressKind } from './address.js'
import { type Certificates, type TlsPolicy, unverified } from './certificates.js'
import type { Endpoint } from './endpoint.js'
import { canonicalHost, isLocalhost, literalAddress, nameOf } from './host.js'
import type { InsecureRegistries } from './insecure.js'
import { shownUrl } from './shown.js'

/** A policy for connections to one origin. Equal keys are equal policies. */
export interface Reach {
  readonly key: string
  readonly tls: TlsPolicy
  readonly allows?: (address: string) => boolean
}

export class Reaches {
  readonly #insecure: InsecureRegistries
  readonly #certificates: Certificates
  readonly #privateHosts: ReadonlySet<string>

  constructor(insecure: InsecureRegistries, certificates: Certificates, privateHosts: readonly string[]) {
    this.#insecure = insecure
    this.#certificates = certificates
    this.#privateHosts = new Set(privateHosts.map(host => canonicalHost(host) ?? host))
  }

  /** Of the registry itself, at one of its base URLs. */
  async own(endpoint: Endpoint, base: URL): Promise<Reach> {
    const tls = endpoint.insecure ? unverified : await this.#certificates.of(base.host)
    return { key: `own ${base.origin}`, tls, ...(endpoint.allows && { allows: endpoint.allows }) }
  }

  /**
   * Of a server that the registry names, in a realm or a redirect. Addresses of private networks are for registries that
   * are on this machine or insecure by the user's word, and for hosts that the user names.
   * @throws `code` for an address, or a name of this machine, that may not be asked
   */
  async foreign(endpoint: Endpoint, url: URL, code: ErrorCode): Promise<Reach> {
    const host = canonicalHost(url.host)
    if (host === undefined) throw new PhylloError(code, `${shownUrl(url)}: not a host that can be asked`)
    const inside = endpoint.insecure || this.#privateHosts.has(host)
    const security = await this.#insecure.of(url)
    const allows = (address: string) => {
      const kind = addressKind(address)
      const reachable = kind === 'public' || (kind === 'private' && inside)
      return reachable && (security.allows?.(address) ?? true)
    }
    const literal = literalAddress(url)
    const reachable = literal === undefined ? inside || !isLocalhost(nameOf(url)) : allows(literal)
    if (!reachable) {
      const reason = `${endpoint.host} leads to ${shownUrl(url)}, an address that a registry elsewhere may not lead to`
      throw new PhylloError(code, reason, { host, path: shownUrl(url) })
    }
    const { insecure } = security
    const tls = insecure ? unverified : await this.#certificates.of(url.host)
    return { key: `foreign ${url.origin} ${inside} ${insecure}`, tls, allows }
  }
}
