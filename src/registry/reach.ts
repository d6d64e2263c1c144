/**
 * How a server may be reached, and whether it may be at all: the registry itself, because the user named it, or another
 * one, because the registry said so. Each origin has its own policy; that of the registry goes nowhere else.
 */
import { type ErrorCode, PhylloError } from '../errors.js'
import { addressKind } from './address.js'
import { type Certificates, type TlsPolicy, unverified } from './certificates.js'
import type { Endpoint } from './endpoint.js'
import { canonicalHost, isLocalhost, literalAddress, nameOf } from './host.js'
import type { InsecureRegistries, Security } from './insecure.js'
import type { HttpProxy, Proxies } from './proxies.js'
import { shownUrl } from './shown.js'

/** A policy for connections to one origin. Equal keys are equal policies. */
export interface Reach {
  readonly key: string
  readonly tls: TlsPolicy
  readonly allows?: (address: string) => boolean
  /** Who carries what is asked. Names are resolved there. */
  readonly through?: HttpProxy
  /** For a proxy that is itself asked by TLS. */
  readonly proxyTls?: TlsPolicy
}

/** How a server is asked through a proxy. */
export type Way = Pick<Reach, 'through' | 'proxyTls'>

export class Reaches {
  readonly #insecure: InsecureRegistries
  readonly #certificates: Certificates
  readonly #proxies: Proxies
  readonly #privateHosts: ReadonlySet<string>

  constructor(
    insecure: InsecureRegistries,
    certificates: Certificates,
    proxies: Proxies,
    privateHosts: readonly string[],
  ) {
    this.#insecure = insecure
    this.#certificates = certificates
    this.#proxies = proxies
    this.#privateHosts = new Set(privateHosts.map(host => canonicalHost(host) ?? host))
  }

  /** Of the registry itself, at one of its base URLs. */
  async own(endpoint: Endpoint, base: URL): Promise<Reach> {
    const way = await this.#wayTo(base)
    const insecure = endpoint.insecure && !isBlind(endpoint, way)
    if (!insecure && base.protocol === 'http:' && endpoint.insecure)
      throw new PhylloError('REGISTRY_PROXY', blindness(base, way.through!), {
        ...{ host: base.host, proxy: way.through!.origin },
      })
    const tls = insecure ? unverified : await this.#certificates.of(base.host)
    return { key: `own ${base.origin}`, tls, ...way, ...(endpoint.allows && { allows: endpoint.allows }) }
  }

  /** The way to each URL, for what no registry has named; undefined where nobody has a proxy. */
  async ways(): Promise<((url: URL) => Way) | undefined> {
    const all = this.#proxies.all.filter(({ origin }) => origin.startsWith('https:'))
    const found = all.map(async ({ origin }) => [origin, await this.#certificates.of(new URL(origin).host)] as const)
    const tls = new Map(await Promise.all(found))
    const wayTo = (url: URL): Way => {
      const through = this.#proxies.of(url)
      const proxyTls = through && tls.get(through.origin)
      return { ...(through && { through }), ...(proxyTls && { proxyTls }) }
    }
    return this.#proxies.some ? wayTo : undefined
  }

  async #wayTo(url: URL): Promise<Way> {
    return (await this.ways())?.(url) ?? {}
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
    const way = await this.#wayTo(url)
    const insecure = security.insecure && !isBlind(security, way)
    const tls = insecure ? unverified : await this.#certificates.of(url.host)
    return { key: `foreign ${url.origin} ${inside} ${insecure}`, tls, allows, ...way }
  }
}

/** A name is insecure as far as a subnet, and the proxy alone knows where it leads: then its certificate counts. */
function isBlind({ allows }: Security, { through }: Way): boolean {
  return through !== undefined && allows !== undefined
}

function blindness({ host }: URL, { origin }: HttpProxy): string {
  const reason = `${host} is insecure as far as a subnet, and through the proxy ${origin} nobody sees its address`
  return `${reason}; name the host itself in insecureRegistries, or in NO_PROXY`
}
