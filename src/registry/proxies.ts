/**
 * Which proxy a URL is asked through. As Docker's daemon and other programs in Go have it: one proxy for http, one for
 * https, none for what NO_PROXY names and for this machine. The words come from the option, else from a daemon.json and the
 * environment. A proxy's URL holds a password: it is never shown, only the origin is.
 */
import { PhylloError } from '../errors.js'
import { NoProxy } from './no-proxy.js'

/** What a registry is asked through. */
export interface ProxyOptions {
  /** For http: `http://[user:password@]host[:port]`, or https; without a scheme it is http. */
  readonly http?: string
  /** For https, which the proxy only carries (CONNECT). */
  readonly https?: string
  /** What is asked without: as in NO_PROXY, or as a list of its entries. */
  readonly noProxy?: string | readonly string[]
}

export interface HttpProxy {
  /** `http://proxy.lan:3128`: may be shown. */
  readonly origin: string
  /** `Proxy-Authorization`. */
  readonly authorization?: string
}

/** A proxy, or why it is none. */
type Parsed = HttpProxy | string

/** What messages end with: where all of this is said. */
export const whereProxiesAre = 'see HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or the option proxies'

export class Proxies {
  readonly #http: Parsed | undefined
  readonly #https: Parsed | undefined
  readonly #none: NoProxy

  constructor({ http, https, noProxy = '' }: ProxyOptions = {}) {
    this.#http = parsed(http)
    this.#https = parsed(https)
    this.#none = new NoProxy(typeof noProxy === 'string' ? noProxy : noProxy.join(','))
  }

  /** All that there are. */
  get all(): readonly HttpProxy[] {
    return [this.#http, this.#https].filter(one => typeof one === 'object')
  }

  /** Whether there is anything to choose. */
  get some(): boolean {
    return this.#http !== undefined || this.#https !== undefined
  }

  /** Undefined: none. @throws REGISTRY_PROXY for words that name none; only when it would be needed, as in Go */
  of(url: URL): HttpProxy | undefined {
    const https = url.protocol === 'https:'
    const found = https ? this.#https : this.#http
    if (found === undefined || this.#none.covers(url)) return undefined
    if (typeof found !== 'string') return found
    const reason = `what is given as the proxy for ${https ? 'https' : 'http'} ${found}`
    throw new PhylloError('REGISTRY_PROXY', `${url.host}: ${reason}; ${whereProxiesAre}`, { host: url.host })
  }
}

/** @throws TypeError that says what is wrong, without what was given */
export function checkProxies(proxies: unknown): void {
  if (proxies === false) return
  if (typeof proxies !== 'object' || proxies === null) throw new TypeError('proxies is neither false nor an object')
  for (const name of ['http', 'https'] as const) {
    const value = Object.hasOwn(proxies, name) ? (proxies as Record<string, unknown>)[name] : undefined
    if (value !== undefined && typeof value !== 'string') throw new TypeError(`proxies: ${name} is not a text`)
    const found = parsed(value)
    if (typeof found === 'string') throw new TypeError(`proxies: ${name} ${found}`)
  }
  const { noProxy = '' } = proxies as { noProxy?: unknown }
  const entries: readonly unknown[] = Array.isArray(noProxy) ? noProxy : [noProxy]
  if (entries.some(entry => typeof entry !== 'string'))
    throw new TypeError('proxies: noProxy is no text or list of texts')
}

/** As Go reads it: upper case first, what is empty is not there. */
export function environmentProxies(env: NodeJS.ProcessEnv): ProxyOptions {
  const of = (name: string) => env[name] || env[name.toLowerCase()]
  const [http, https, noProxy] = [of('HTTP_PROXY'), of('HTTPS_PROXY'), of('NO_PROXY')]
  return {
    // In a CGI program HTTP_PROXY is what a client wrote into a header `Proxy` (httpoxy): Go refuses it, too.
    ...(http && { http: env.REQUEST_METHOD ? cgi : http }),
    ...(https && { https }),
    ...(noProxy && { noProxy }),
  }
}

const cgi = 'cgi:'

function parsed(text: string | undefined): Parsed | undefined {
  if (text === undefined || text === '') return undefined
  if (text === cgi) return 'is not taken from the environment of a CGI program, where whoever asks it can set it'
  // `host:port` would be a URL of the scheme `host`.
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(whole) ? new URL(whole) : undefined
  if (url === undefined) return 'is not a URL'
  if (!/^https?:$/.test(url.protocol)) return `has the scheme ${url.protocol.slice(0, 20)} but is to be http or https`
  const { username, password } = url
  if (username === '' && password === '') return { origin: url.origin }
  const credentials = [username, password].map(decoded)
  if (credentials.some(text => text === undefined)) return 'has a user or password in which a % is not written %25'
  return { origin: url.origin, authorization: `Basic ${Buffer.from(credentials.join(':')).toString('base64')}` }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
