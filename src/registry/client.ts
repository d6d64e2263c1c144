/**
 * The client of registries: one for a store, or for one operation. It keeps connections, tokens and what it has found out
 * about each registry; `close()` ends all of it.
 */
import { canonicalRepository, type Reference } from '../oci/reference.js'
import { Certificates } from './certificates.js'
import { Connections } from './connections.js'
import type { Credential } from './credential.js'
import { apiHost, baseUrl, endpointAt, endpointOf } from './endpoint.js'
import type { Network } from './follow.js'
import { InsecureRegistries } from './insecure.js'
import { listRepositories } from './lists.js'
import { type RegistryOptions, settingsOf } from './options.js'
import type { Cancellable } from './place.js'
import { Reaches } from './reach.js'
import { Repository } from './repository.js'
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
      reaches: new Reaches(this.#insecure, certificates, settings.privateHosts),
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
    return new Repository(name, async () => ({ session: await this.#session(domain, mirror), path, name, limits }))
  }

  /** The repositories of a registry, by its domain. */
  async catalog(domain: string, options?: Cancellable): Promise<string[]> {
    return listRepositories(await this.#session(domain), this.#network.settings.limits, options)
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

  #session(domain: string, mirror?: string): Promise<Session> {
    const key = mirror ?? domain
    let session = this.#sessions.get(key)
    if (session === undefined) {
      session = this.#endpoint(domain, mirror).then(endpoint => new Session(this.#network, endpoint))
      this.#sessions.set(key, session)
      session.catch(() => this.#sessions.delete(key))
    }
    return session
  }

  async #endpoint(domain: string, mirror?: string) {
    const url = mirror === undefined ? new URL(`https://${apiHost(domain)}`) : baseUrl(mirror)
    const security = await this.#insecure.of(url)
    const { realms } = this.#network.settings
    const named = (name: string) => (Object.hasOwn(realms, name) ? realms[name] : undefined)
    return mirror === undefined
      ? endpointOf(domain, security, named(domain))
      : endpointAt(mirror, security, named(url.host))
  }
}
