/**
 * Connections through a proxy to servers of https: CONNECT, whose answer is the way to the server, and TLS with the server
 * itself along that. The proxy sees host and port, and its own credentials; nothing of what is asked.
 */
import type { Socket } from 'node:net'
import type { Connector, Pool } from './connections.js'
import type { HttpProxy } from './proxies.js'

/** The proxy's own failure: it is not there, breaks off or refuses. */
export class ProxyFailure extends Error {
  readonly proxy: HttpProxy
  /** Of its answer to CONNECT, or 407 to anything; undefined where none came. */
  readonly status: number | undefined
  /** What it takes credentials by, `Basic realm=…`. */
  readonly challenges: readonly string[]

  constructor(
    proxy: HttpProxy,
    { status, challenges = [], cause }: { status?: number; challenges?: readonly string[]; cause?: unknown },
  ) {
    super(`the proxy ${proxy.origin} failed`, cause === undefined ? undefined : { cause })
    this.proxy = proxy
    this.status = status
    this.challenges = challenges
  }
}

/** Connects as undici's own connector does, `secure` being that: it makes TLS out of the way that the proxy has made. */
export function tunnelling(proxy: HttpProxy, pool: Pool, secure: Connector, connectMs: number): Connector {
  return (options, callback) => {
    void wayThrough(proxy, pool, authorityOf(options), connectMs).then(
      httpSocket => secure({ ...options, httpSocket }, callback),
      error => callback(error, null),
    )
  }
}

async function wayThrough(proxy: HttpProxy, pool: Pool, path: string, connectMs: number) {
  const signal = AbortSignal.timeout(connectMs)
  try {
    const headers = { host: path, ...credentialsOf(proxy) }
    const { statusCode: status, headers: answered, socket } = await pool.connect({ path, headers, signal })
    if (status >= 200 && status < 300) return socket as Socket
    socket.on('error', () => undefined).destroy()
    throw new ProxyFailure(proxy, { status, challenges: [answered['proxy-authenticate'] ?? []].flat() })
  } catch (error) {
    if (error instanceof ProxyFailure) throw error
    const late = () => Object.assign(new Error(`no answer for ${connectMs / 1000} s`), { code: 'ETIMEDOUT' })
    throw new ProxyFailure(proxy, { cause: signal.aborted ? late() : error })
  }
}

function authorityOf({ host = '', port }: Parameters<Connector>[0]): string {
  return port === '' ? `${host}:443` : host
}

export function credentialsOf({ authorization }: HttpProxy): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { 'proxy-authorization': authorization }
}
