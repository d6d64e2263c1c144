/** Connections that are kept, one pool for each origin and policy. The only door to undici, which is loaded when it is first needed. */
import type { Readable } from 'node:stream'
import type { Agent, Dispatcher } from 'undici'
import type { Reach } from './reach.js'
import { guardedLookup, type Lookup } from './resolve.js'

export type Response = Dispatcher.ResponseData

type Sent = Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'signal'> & {
  readonly body?: AsyncIterable<Uint8Array>
}

/** Bytes of an answer's head. */
const headBytesMax = 32 * 1024

export class Connections {
  readonly #lookup: Lookup
  readonly #connectMs: number
  readonly #agents = new Map<string, Agent>()

  constructor(lookup: Lookup, connectMs: number) {
    this.#lookup = lookup
    this.#connectMs = connectMs
  }

  async request(reach: Reach, url: URL, { body, ...options }: Sent): Promise<Response> {
    const { Agent, request } = await import('undici')
    let agent = this.#agents.get(reach.key)
    if (agent === undefined) this.#agents.set(reach.key, (agent = new Agent(this.#optionsOf(reach))))
    // It takes what can be iterated; its types do not say so.
    const sent = body === undefined ? {} : { body: body as unknown as Readable }
    return request(url, { ...options, ...sent, dispatcher: agent })
  }

  /** Ends all of them, with what they were at. */
  async close(): Promise<void> {
    const agents = [...this.#agents.values()]
    this.#agents.clear()
    await Promise.all(agents.map(agent => agent.destroy()))
  }

  #optionsOf({ tls, allows }: Reach): Agent.Options {
    const lookup = allows === undefined ? this.#lookup : guardedLookup(this.#lookup, allows)
    return {
      connect: { ...tls, lookup, timeout: this.#connectMs },
      maxHeaderSize: headBytesMax,
      // exchange.ts has clocks of its own, which stand still while the reader does.
      headersTimeout: 0,
      bodyTimeout: 0,
    }
  }
}
