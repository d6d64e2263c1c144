/** Connections that are kept, one pool for each origin and policy. The only door to undici, which is loaded when it is first needed. */
import type { Readable } from 'node:stream'
import type { Agent, buildConnector, Dispatcher, Pool } from 'undici'
import { PhylloError } from '../errors.js'
import type { HttpProxy } from './proxies.js'
import type { Reach, Way } from './reach.js'
import { guardedLookup, type Lookup } from './resolve.js'
import { credentialsOf, ProxyFailure, tunnelling } from './tunnel.js'

export type { Pool } from 'undici'
export type Connector = buildConnector.connector
export type Response = Dispatcher.ResponseData

type Sent = Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'signal'> & {
  readonly body?: AsyncIterable<Uint8Array>
}

/** Bytes of an answer's head. */
const headBytesMax = 32 * 1024

/** exchange.ts has clocks of its own, which stand still while the reader does. */
const ours = { maxHeaderSize: headBytesMax, headersTimeout: 0, bodyTimeout: 0 }

type Undici = typeof import('undici')

export class Connections {
  readonly #lookup: Lookup
  readonly #connectMs: number
  readonly #agents = new Map<string, Agent>()
  /** By origin of the proxy. */
  readonly #proxies = new Map<string, Pool>()
  #fetching: Agent | undefined

  constructor(lookup: Lookup, connectMs: number) {
    this.#lookup = lookup
    this.#connectMs = connectMs
  }

  async request(reach: Reach, url: URL, { body, ...options }: Sent): Promise<Response> {
    const undici = await import('undici')
    // It takes what can be iterated; its types do not say so.
    const sent = { ...options, ...(body !== undefined && { body: body as unknown as Readable }) }
    const { through } = reach
    if (through !== undefined && url.protocol === 'http:')
      return toProxy(
        through,
        this.#poolOf(undici, reach, through).request({
          ...sent,
          path: `${url.origin}${url.pathname}${url.search}`,
          headers: { ...sent.headers, host: url.host, ...credentialsOf(through) },
        }),
      )
    let agent = this.#agents.get(reach.key)
    if (agent === undefined) this.#agents.set(reach.key, (agent = new undici.Agent(this.#optionsOf(undici, reach))))
    return undici.request(url, { ...sent, dispatcher: agent })
  }

  /** Fetches as Node does, redirects and all, each on its own way. @throws what fetch does, also with a ProxyFailure as its cause */
  async fetch(wayTo: (url: URL) => Way, url: string, init: { headers: Record<string, string>; signal: AbortSignal }) {
    const undici = await import('undici')
    this.#fetching ??= new undici.Agent({ factory: (origin, options) => this.#poolTo(undici, wayTo, origin, options) })
    try {
      return await undici.fetch(url, { ...init, dispatcher: this.#fetching })
    } catch (error) {
      const { through } = wayTo(new URL(url))
      // A 407 is no answer for `fetch`, but an error that says nothing. It is the only one.
      const silent = error instanceof Error && error.cause instanceof Error && error.cause.message === ''
      if (through === undefined || !silent || 'code' in (error.cause as Error)) throw error
      throw new TypeError(error.message, { cause: new ProxyFailure(through, { status: 407 }) })
    }
  }

  #poolTo(undici: Undici, wayTo: (url: URL) => Way, at: string | URL, options: object): Dispatcher {
    const { origin, protocol } = new URL(at)
    const way = wayTo(new URL(at))
    const { through } = way
    if (through === undefined) return new undici.Pool(origin, options)
    const pool = this.#poolOf(undici, way, through)
    if (protocol === 'https:') {
      const secure = undici.buildConnector({ timeout: this.#connectMs })
      return new undici.Pool(origin, { ...options, connect: tunnelling(through, pool, secure, this.#connectMs) })
    }
    return pool.compose(dispatch => ({ path, headers, ...rest }, handler) => {
      const ours = { host: new URL(origin).host, ...credentialsOf(through) }
      return dispatch(
        { ...rest, origin: through.origin, path: `${origin}${path}`, headers: { ...headers, ...ours } },
        handler,
      )
    })
  }

  /** Ends all of them, with what they were at. */
  async close(): Promise<void> {
    const agents = [...this.#agents.values(), ...this.#proxies.values(), ...(this.#fetching ? [this.#fetching] : [])]
    this.#agents.clear()
    this.#proxies.clear()
    this.#fetching = undefined
    await Promise.all(agents.map(agent => agent.destroy()))
  }

  #optionsOf(undici: Undici, reach: Reach): Agent.Options {
    const { tls, allows, through } = reach
    const lookup = allows === undefined ? this.#lookup : guardedLookup(this.#lookup, allows)
    const connect = { ...tls, lookup, timeout: this.#connectMs }
    if (through === undefined) return { connect, ...ours }
    const secure = undici.buildConnector({ ...tls, timeout: this.#connectMs })
    return { connect: tunnelling(through, this.#poolOf(undici, reach, through), secure, this.#connectMs), ...ours }
  }

  /** Connections with a proxy itself. */
  #poolOf({ Pool, buildConnector }: Undici, { proxyTls }: Way, { origin }: HttpProxy): Pool {
    let pool = this.#proxies.get(origin)
    if (pool === undefined) {
      const connecting = buildConnector({ ...proxyTls, lookup: this.#lookup, timeout: this.#connectMs })
      // undici would have the name in its certificate be that of the request's Host, which is not the proxy's.
      const connect: Connector = (options, callback) => connecting({ ...options, servername: '' }, callback)
      this.#proxies.set(origin, (pool = new Pool(origin, { connect, ...ours })))
    }
    return pool
  }
}

/** Until the head of an answer is there all that can fail is the way to the proxy, or what is sent. */
async function toProxy(through: HttpProxy, asked: Promise<Response>): Promise<Response> {
  try {
    return await asked
  } catch (cause) {
    throw cause instanceof PhylloError ? cause : new ProxyFailure(through, { cause })
  }
}
