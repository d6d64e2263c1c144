/**
 * Registries that may be reached without a certificate that holds, or over plain HTTP: those that the user names by
 * `host[:port]` or by subnet, and this machine's own. As Docker's `insecure-registries`, but for one thing: a name that
 * merely resolves into a subnet is insecure only as far as that subnet, for each connection that is made. Otherwise
 * whoever answers for the DNS could switch certificates off.
 */
import type { BlockList } from 'node:net'
import { isLoopback, subnets, within } from './address.js'
import { canonicalHost, isLocalhost, literalAddress, nameOf } from './host.js'
import { addressesOf, type Lookup } from './resolve.js'

export interface Security {
  readonly insecure: boolean
  /** Addresses that a connection may be made to; undefined for all of them. */
  readonly allows?: (address: string) => boolean
}

export class InsecureRegistries {
  readonly #hosts = new Set<string>()
  readonly #nets: BlockList
  readonly #someNets: boolean
  readonly #lookup: Lookup

  /** @throws TypeError for an entry that is neither a host nor a subnet */
  constructor(entries: readonly string[], lookup: Lookup) {
    const nets = entries.filter(entry => entry.includes('/'))
    for (const entry of entries.filter(entry => !entry.includes('/'))) {
      const host = canonicalHost(entry)
      if (host === undefined) throw new TypeError(`insecure registry ${JSON.stringify(entry)} is no host[:port]`)
      this.#hosts.add(host)
    }
    this.#nets = subnets(nets)
    this.#someNets = nets.length > 0
    this.#lookup = lookup
  }

  /** Of the server that a URL of https names, whatever its path. A name that cannot be resolved is secure. */
  async of(url: URL): Promise<Security> {
    const host = canonicalHost(url.host)
    if (host !== undefined && this.#hosts.has(host)) return { insecure: true }
    const literal = literalAddress(url)
    if (literal !== undefined) return { insecure: isLoopback(literal) || within(literal, this.#nets) }
    if (isLocalhost(nameOf(url))) return { insecure: true, allows: isLoopback }
    if (!this.#someNets) return { insecure: false }
    const allows = (address: string) => within(address, this.#nets)
    const addresses = await addressesOf(nameOf(url), this.#lookup).catch(() => [])
    return addresses.some(allows) ? { insecure: true, allows } : { insecure: false }
  }
}
