/**
 * The client of registries: one for a store, or for one operation. It keeps connections, tokens and what it has found out
 * about each registry; `close()` ends all of it.
 */
import { canonicalRepository, type Reference } from '../oci/reference.js'
import { type Api, distribution, legacy } from './api.js'
import { Certificates } from './certificates.js'
import { Connections } from './connections.js'
import type { Credential } from './credential.js'
import { apiHost, baseUrl, type Endpoint, endpointAt, endpointOf, searchHost } from './endpoint.js'
import type { Network } from './follow.js'
import { InsecureRegistries } from './insecure.js'
import { listRepositories } from './lists.js'
import { type RegistryOptions, settingsOf } from './options.js'
import type { Cancellable } from './place.js'
import { Proxies } from './proxies.js'
import { Reaches } from './reach.js'
import { Repository } from './repository.js'
import { type Found, search } from './search.js'
import { Session } from './session.js'

export class RegistryClient implements AsyncDisposable {
  readonly #network: Network
  readonly #insecure: InsecureRegistries
  readonly #sessions = new Map<string, Promise<Session>>()

  /** @throws TypeError for an insecure registry that is neither a host nor a subnet */
  constructor(options: RegistryOptions = {}) {
    const settings = settingsOf(options)
    this.#insecure = new InsecureRegistries(settings.insecureRegistries, settings.lookup)
    const certificates = new Certificates(settings.ca, settings.certificates)
    this.#network = {
      settings,
      connections: new Connections(settings.lookup, settings.timeouts.connectMs),
      reaches: new Reaches(this.#insecure, certificates, new Proxies(settings.proxies), settings.privateHosts),
    }
  }

  /**
   * The repository of a reference, at its own registry or at a mirror of that: a URL of http or https, whose credentials
   * are its own. Nothing is asked yet.
   */
  repository(reference: Reference, { mirror }: { readonly mirror?: string | undefined } = {}): Repository {
    const { path, domain } = reference
    const name = canonicalRepository(reference)
    const { limits } = this.#network.settings
    const session = () => (mirror === undefined ? this.#session(domain) : this.#mirror(mirror))
    return new Repository(name, async () => ({ session: await session(), path, name, limits }))
  }

  /** The repositories of a registry, by its domain. */
  async catalog(domain: string, options?: Cancellable): Promise<string[]> {
    return listRepositories(await this.#session(domain), this.#network.settings.limits, options)
  }

  /** What a registry finds by its own search. @throws REGISTRY_NOT_FOUND where it has none, and others */
  async search(domain: string, term: string, options: Cancellable & { readonly limit: number }): Promise<Found[]> {
    return search(await this.#session(domain, legacy), { ...options, term, limits: this.#network.settings.limits })
  }

  /**
   * Fetches what no registry has: by Node's own fetch, or where somebody has a proxy, by one like it through that.
   * @throws what fetch does; its cause may be a ProxyFailure
   */
  async fetch(url: string, init: { headers: Record<string, string>; signal: AbortSignal }) {
    const { connections, reaches } = this.#network
    const wayTo = await reaches.ways()
    return wayTo === undefined ? fetch(url, init) : connections.fetch(wayTo, url, init)
  }

  /** Credentials have changed: whoever asks from now on looks them up anew. */
  forgetCredentials(): void {
    this.#sessions.clear()
  }

  /**
   * Whether the registry takes the credential; the identity token to keep instead of a password, if its token server gives
   * one. @throws REGISTRY_AUTH and others
   */
  async login(domain: string, credential: Credential, { signal }: Cancellable = {}): Promise<string | undefined> {
    const credentials = { get: async () => credential }
    const session = new Session(
      { ...this.#network, settings: { ...this.#network.settings, credentials } },
      await this.#endpoint(domain),
    )
    return (await session.login(credential, signal))?.refresh
  }

  /** What there is for a registry, by its domain. @throws REGISTRY_CREDENTIALS */
  async credential(domain: string, { signal }: Cancellable = {}): Promise<Credential | undefined> {
    const { credentialKey } = await this.#endpoint(domain)
    return this.#network.settings.credentials.get(credentialKey, signal)
  }

  /** Ends every connection, with what it is at. */
  async close(): Promise<void> {
    this.#sessions.clear()
    await this.#network.connections.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #session(domain: string, api = distribution): Promise<Session> {
    return this.#kept(`${api.root} ${domain}`, () => this.#endpoint(domain, api), api)
  }

  /** At a mirror, of whichever registry. */
  #mirror(url: string): Promise<Session> {
    return this.#kept(url, async () => {
      const { host } = baseUrl(url)
      return endpointAt(url, await this.#insecure.of(baseUrl(url)), this.#realmsOf(host))
    })
  }

  #kept(key: string, endpoint: () => Promise<Endpoint>, api?: Api): Promise<Session> {
    let session = this.#sessions.get(key)
    if (session === undefined) {
      session = endpoint().then(endpoint => new Session(this.#network, endpoint, api))
      this.#sessions.set(key, session)
      session.catch(() => this.#sessions.delete(key))
    }
    return session
  }

  async #endpoint(domain: string, api = distribution): Promise<Endpoint> {
    const host = api === legacy ? searchHost(domain) : apiHost(domain)
    const security = await this.#insecure.of(new URL(`https://${host}`))
    return endpointOf(domain, security, { host, realms: this.#realmsOf(domain) })
  }

  #realmsOf(name: string): readonly string[] {
    const { realms } = this.#network.settings
    return (Object.hasOwn(realms, name) ? realms[name] : undefined) ?? []
  }
}
