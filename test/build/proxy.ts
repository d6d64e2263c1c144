/**
 * An HTTP proxy that remembers what it was asked: CONNECT, and requests in absolute form. Names lead to this machine,
 * whatever they are, so that tests can tell who resolved them.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { certificate, certificateKey } from './certificate.js'
import type { Ending } from './fake-registry.js'

export interface ProxyOptions {
  /** `user:password` that it demands. */
  readonly auth?: string
  readonly tls?: boolean
  /** What it answers to CONNECT instead of going there: a status, or nothing at all (`cut`, `mute`). */
  readonly refuses?: number | 'cut' | 'mute'
  /** What it wants credentials by. */
  readonly challenge?: string
  /** Bytes of a tunnel's way back after which it is cut, once. */
  readonly cutAt?: number
}

export class TestProxy {
  /** `CONNECT host:port`, `GET http://host:port/path`. */
  readonly asked: string[] = []
  /** Heads as they came. */
  readonly heads: string[] = []
  /** All bytes that went through tunnels. */
  readonly tunnelled: Buffer[] = []
  options: ProxyOptions
  /** Connections that are open. */
  readonly sockets = new Set<Duplex>()
  #origin = ''
  #cuts = 0

  private constructor(options: ProxyOptions) {
    this.options = options
  }

  static async start(t: Ending, options: ProxyOptions = {}): Promise<TestProxy> {
    const proxy = new TestProxy(options)
    const { tls = false } = options
    const server = tls ? createTlsServer({ cert: certificate, key: certificateKey }) : createServer()
    const { sockets } = proxy
    server.on('connection', (socket: Socket) => {
      sockets.add(socket.on('error', () => undefined))
      socket.on('close', () => sockets.delete(socket))
    })
    server.on('connect', (asked, socket: Duplex, head: Buffer) => proxy.#tunnel(asked, socket, head))
    server.on('request', (asked, response) => proxy.#carry(asked, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    proxy.#origin = `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`
    t.after(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return proxy
  }

  get origin(): string {
    return this.#origin
  }

  /** With user and password. */
  urlFor(user: string): string {
    return this.#origin.replace('://', `://${user}@`)
  }

  /** Whether what stands in the text has been seen in the clear. */
  saw(text: string): boolean {
    return [...this.heads, ...this.tunnelled.map(part => part.toString('latin1'))].some(seen => seen.includes(text))
  }

  #refusal(asked: IncomingMessage): number | 'cut' | 'mute' | undefined {
    const { method, url, rawHeaders, headers } = asked
    this.asked.push(`${method} ${url}`)
    this.heads.push([method, url, ...rawHeaders].join('\n'))
    const { auth, refuses } = this.options
    const known = auth === undefined ? undefined : `Basic ${Buffer.from(auth).toString('base64')}`
    return known !== undefined && headers['proxy-authorization'] !== known ? 407 : refuses
  }

  get #challenge() {
    return { 'proxy-authenticate': this.options.challenge ?? 'Basic realm="proxy"' }
  }

  #tunnel(asked: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(asked)
    socket.on('error', () => undefined)
    if (refusal === 'mute') return void socket.resume().on('end', () => socket.destroy())
    if (refusal === 'cut') return void socket.destroy()
    if (refusal !== undefined) {
      const headers = Object.entries(refusal === 407 ? this.#challenge : {}).map(pair => `${pair.join(': ')}\r\n`)
      return void socket.end(`HTTP/1.1 ${refusal} no\r\n${headers.join('')}content-length: 2\r\n\r\nno`)
    }
    const far = connect(Number(asked.url!.split(':').at(-1)), '127.0.0.1')
    this.sockets.add(far)
    far.on('close', () => this.sockets.delete(far))
    far.on('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      far.write(head)
      this.#pass(socket, far, 0)
      this.#pass(far, socket, this.options.cutAt ?? 0)
    })
    far.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
  }

  #pass(from: Duplex, to: Duplex, cutAt: number): void {
    let bytes = 0
    from.on('error', () => to.destroy()).on('close', () => to.destroy())
    from.on('data', (part: Buffer) => {
      this.tunnelled.push(part)
      bytes += part.length
      if (cutAt === 0 || bytes < cutAt || this.#cuts > 0) return void to.write(part)
      this.#cuts++
      from.destroy()
      to.destroy()
    })
  }

  #carry(asked: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusal(asked)
    if (refusal === 'mute') return
    if (refusal === 'cut') return void asked.socket.destroy()
    if (refusal !== undefined) return void response.writeHead(refusal, refusal === 407 ? this.#challenge : {}).end('no')
    const { port, pathname, search } = new URL(asked.url!)
    const { 'proxy-authorization': _, ...headers } = asked.headers
    const far = request({ host: '127.0.0.1', port, path: pathname + search, method: asked.method, headers })
    far.on('response', answer => answer.pipe(response.writeHead(answer.statusCode!, answer.headers)))
    far.on('error', () => response.writeHead(502).end())
    asked.pipe(far)
  }
}
