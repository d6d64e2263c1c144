/** What a registry client is told, each with its default. Times in milliseconds. */
import { lookup } from 'node:dns'
import { defaultLimits, type Limits } from '../limits.js'
import type { CredentialSource } from './credential.js'
import type { ProxyOptions } from './proxies.js'
import type { Lookup } from './resolve.js'

export interface Timeouts {
  /** Until a connection, with TLS, is there. */
  readonly connectMs: number
  /** From the request, once it is sent, to the head of its answer. */
  readonly answerMs: number
  /** Without at least 1 KiB of a body, while somebody waits for it or has it ready to send. */
  readonly idleMs: number
  /** A whole document: manifest, list, error; tries and waits included. Blobs have no such bound. */
  readonly totalMs: number
  /** Ping, and the whole talk with a token server. */
  readonly tokenMs: number
}

export interface Retries {
  /** Of what can be repeated, the first one included. */
  readonly attempts: number
  /** Wait before the second one; it doubles, less up to a half by chance, so that many clients do not come back at once. */
  readonly baseMs: number
  /** A server that asks for a longer wait (`Retry-After`) is not waited for. */
  readonly longestMs: number
}

/** Certificates for one host: PEM. */
export interface HostCertificates {
  /** Authorities, besides those of Node. */
  readonly ca?: readonly string[]
  readonly cert?: string
  readonly key?: string
}

export interface RegistryOptions {
  readonly credentials?: CredentialSource
  /** `host[:port]` or subnet; this machine's own addresses always are. */
  readonly insecureRegistries?: readonly string[]
  /** Authorities for all hosts, besides those of Node: PEM. */
  readonly ca?: readonly string[]
  /** Docker's folder of certificates: `<folder>/<host[:port]>/*.crt`, `*.cert` with `*.key`. */
  readonly certificates?: string
  /** By host of a registry: hosts, besides its own, whose token servers may have its credentials. */
  readonly realms?: Readonly<Record<string, readonly string[]>>
  /** `host[:port]` in private networks that realms and redirects may lead to. */
  readonly privateHosts?: readonly string[]
  /**
   * Proxies for http and https, and what is asked without; `false`: none. Given, it counts alone; else the environment does
   * (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), and before that what a daemon.json says.
   */
  readonly proxies?: ProxyOptions | false
  readonly timeouts?: Partial<Timeouts>
  readonly retries?: Partial<Retries>
  readonly limits?: Limits
  /** Instead of node:dns's. */
  readonly lookup?: Lookup
}

export interface Settings extends Required<Omit<RegistryOptions, 'timeouts' | 'retries' | 'proxies'>> {
  readonly proxies: ProxyOptions
  readonly timeouts: Timeouts
  readonly retries: Retries
}

const defaults = {
  connectMs: 30_000,
  answerMs: 60_000,
  idleMs: 60_000,
  totalMs: 120_000,
  tokenMs: 15_000,
} satisfies Timeouts

export function settingsOf(options: RegistryOptions): Settings {
  // Own properties alone: a polluted Object.prototype must not switch certificates off.
  const own = Object.assign(Object.create(null), options) as RegistryOptions
  return {
    credentials: own.credentials ?? { get: async () => undefined },
    insecureRegistries: own.insecureRegistries ?? [],
    ca: own.ca ?? [],
    certificates: own.certificates ?? '/etc/docker/certs.d',
    realms: own.realms ?? {},
    privateHosts: own.privateHosts ?? [],
    proxies: proxiesOf(own.proxies),
    limits: own.limits ?? defaultLimits,
    lookup: own.lookup ?? (lookup as Lookup),
    timeouts: { ...defaults, ...own.timeouts },
    retries: { attempts: 4, baseMs: 500, longestMs: 60_000, ...own.retries },
  }
}

/** Without inherited ones: a polluted Object.prototype must not send requests to somebody's proxy. */
function proxiesOf(proxies: ProxyOptions | false | undefined): ProxyOptions {
  return Object.assign(Object.create(null), proxies === false ? {} : proxies)
}

export function refuseOption(reason: string): never {
  throw new TypeError(reason)
}
