/**
 * A registry that does what a test tells it, and remembers all that it was asked: for what a real one cannot do, and for
 * proof of what did not reach it. Without routes of a test's own it is a small, well-behaved one that keeps blobs and
 * manifests in memory, with uploads as in the distribution-spec.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, LookupFunction, Socket } from 'node:net'
import { certificate, certificateKey } from './certificate.js'

export interface Seen {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
  /** All of it as text: where a secret would stand. */
  readonly text: string
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
}

export type Answering =
  | Reply
  | ((seen: Seen, response: ServerResponse) => Reply | undefined | Promise<Reply | undefined>)

/** `GET /v2/`, or a pattern of that text. Of several replies each is given once, the last one again and again. */
export type Routes = readonly (readonly [when: string | RegExp, ...replies: readonly Answering[]])[]

/** What ends with a test. */
export interface Ending {
  after(work: () => Promise<void> | void): void
}

export interface FakeOptions {
  readonly routes?: Routes
  readonly tls?: boolean
  readonly address?: string
}

export class FakeRegistry {
  readonly seen: Seen[] = []
  readonly blobs = new Map<string, Buffer>()
  readonly manifests = new Map<string, { readonly type: string; readonly bytes: Buffer }>()
  readonly uploads = new Map<string, Buffer>()
  /** Asked before all routes: what it gives is the answer. */
  guard: ((seen: Seen) => Reply | undefined) | undefined
  /** Milliseconds that it takes for each of the first ten pieces of a body. */
  pace = 0
  /** Nothing is read of a PUT, nor answered. */
  stalled = false
  /** Bytes of bodies that have come, also of those that are not whole yet. */
  received = 0
  readonly #taken = new Map<unknown, number>()
  #uploadCount = 0
  #routes: Routes
  #origin = ''

  private constructor(routes: Routes) {
    this.#routes = routes
  }

  static async start(
    t: Ending,
    { routes = [], tls = false, address = '127.0.0.1' }: FakeOptions = {},
  ): Promise<FakeRegistry> {
    const fake = new FakeRegistry(routes)
    const answer = (request: IncomingMessage, response: ServerResponse) => void fake.#answer(request, response)
    const server = tls ? createTlsServer({ cert: certificate, key: certificateKey }, answer) : createServer(answer)
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket.on('error', () => undefined))
      socket.on('close', () => sockets.delete(socket))
    })
    await new Promise<void>(resolve => server.listen(0, address, resolve))
    const { port } = server.address() as AddressInfo
    fake.#origin = `${tls ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}`
    t.after(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return fake
  }

  /** `http://127.0.0.1:PORT`. */
  get origin(): string {
    return this.#origin
  }

  /** `127.0.0.1:PORT`. */
  get host(): string {
    return new URL(this.#origin).host
  }

  get port(): string {
    return new URL(this.#origin).port
  }

  /** Replies from now on. */
  route(routes: Routes): void {
    this.#routes = [...routes, ...this.#routes]
  }

  /** Without routes again. */
  forget(): void {
    this.#routes = []
  }

  addBlob(bytes: string | Buffer): { digest: Sha256; sizeBytes: number; bytes: Buffer } {
    const buffer = Buffer.from(bytes)
    this.blobs.set(sha256(buffer), buffer)
    return { digest: sha256(buffer), sizeBytes: buffer.length, bytes: buffer }
  }

  addManifest(document: object | Buffer, { tag, type }: { tag?: string; type?: string } = {}) {
    const bytes = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document))
    const mediaType = type ?? (document as { mediaType?: string }).mediaType ?? 'application/json'
    for (const name of [sha256(bytes), ...(tag ? [tag] : [])]) this.manifests.set(name, { type: mediaType, bytes })
    return { digest: sha256(bytes), sizeBytes: bytes.length, bytes, mediaType }
  }

  newUpload(): string {
    const id = `${++this.#uploadCount}`
    this.uploads.set(id, Buffer.alloc(0))
    return id
  }

  /** `GET /v2/`, one a request. */
  get asked(): string[] {
    return this.seen.map(({ method, url }) => `${method} ${url}`)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    if (this.stalled && request.method === 'PUT') return
    try {
      for await (const part of request) {
        parts.push(part as Buffer)
        this.received += (part as Buffer).length
        if (this.pace > 0 && parts.length <= 10) await new Promise(resolve => setTimeout(resolve, this.pace))
      }
    } catch {
      // The client went away.
    }
    const { method = '', url = '', headers, rawHeaders } = request
    const body = Buffer.concat(parts)
    const seen = { method, url, headers, body, text: [method, url, ...rawHeaders, body.toString('latin1')].join('\n') }
    this.seen.push(seen)
    const guarded = this.guard?.(seen)
    if (guarded !== undefined) return this.#send(response, method, guarded)
    const route = this.#routes.find(([when]) => {
      const asked = `${method} ${url}`
      return typeof when === 'string' ? when === asked : when.test(asked)
    })
    const [, ...replies] = route ?? [undefined, () => this.behave(seen)]
    const turn = this.#taken.get(route) ?? 0
    this.#taken.set(route, turn + 1)
    const next = replies[Math.min(turn, replies.length - 1)]!
    const reply = typeof next === 'function' ? await next(seen, response) : next
    if (reply !== undefined) this.#send(response, method, reply)
  }

  #send(response: ServerResponse, method: string, { status = 200, headers, body }: Reply): void {
    response.writeHead(status, headers)
    response.end(method === 'HEAD' ? undefined : body)
  }

  /** What it answers without routes. */
  behave({ method, url, headers, body }: Seen): Reply {
    const { pathname, searchParams } = new URL(url, this.#origin)
    if (pathname === '/v2/') return {}
    const [, path = '', reference = ''] = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(pathname) ?? []
    if (path !== '' && method === 'PUT') {
      const { digest } = this.addManifest(body, { tag: reference, type: String(headers['content-type']) })
      return { status: 201, headers: { 'docker-content-digest': digest } }
    }
    if (path !== '') return this.#manifest(reference)
    const [, digest] = /\/blobs\/(sha\w+:\w+)$/.exec(pathname) ?? []
    if (digest !== undefined) return this.#blob(digest, headers.range)
    if (pathname.endsWith('/blobs/uploads/') && method === 'POST') return this.#begin()
    const [, upload] = /\/blobs\/uploads\/(\d+)$/.exec(pathname) ?? []
    if (upload !== undefined)
      return this.#upload(method, upload, body, headers['content-range'], searchParams.get('digest'))
    return unknown('NAME_UNKNOWN')
  }

  #manifest(reference: string): Reply {
    const found = this.manifests.get(reference)
    if (found === undefined) return unknown('MANIFEST_UNKNOWN')
    const { type, bytes } = found
    const headers = {
      'content-type': type,
      'docker-content-digest': sha256(bytes),
      'content-length': String(bytes.length),
    }
    return { headers, body: bytes }
  }

  #blob(digest: string, range: string | undefined): Reply {
    const bytes = this.blobs.get(digest)
    if (bytes === undefined) return unknown('BLOB_UNKNOWN')
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    const headers = { 'content-length': String(bytes.length - from), 'content-type': 'application/octet-stream' }
    if (range === undefined) return { headers, body: bytes }
    const stated = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
    return { status: 206, headers: { ...headers, 'content-range': stated }, body: bytes.subarray(from) }
  }

  #begin(): Reply {
    return { status: 202, headers: { location: `/v2/a/b/blobs/uploads/${this.newUpload()}?_state=a%20b%2Bc` } }
  }

  #upload(method: string, id: string, body: Buffer, range: string | undefined, digest: string | null): Reply {
    const bytes = this.uploads.get(id)
    if (bytes === undefined) return unknown('BLOB_UPLOAD_UNKNOWN')
    const status = (code: number, size: number) => ({
      status: code,
      headers: { location: `/v2/a/b/blobs/uploads/${id}?_state=a%20b%2Bc`, range: `0-${Math.max(0, size - 1)}` },
    })
    if (method === 'GET') return status(204, bytes.length)
    if (method === 'DELETE') {
      this.uploads.delete(id)
      return { status: 204 }
    }
    if (range !== undefined && Number(range.split('-')[0]) !== bytes.length) return status(416, bytes.length)
    const all = Buffer.concat([bytes, body])
    this.uploads.set(id, all)
    if (method === 'PATCH') return status(202, all.length)
    if (digest !== sha256(all)) return { status: 400, ...refusal('DIGEST_INVALID', 'provided digest did not match') }
    this.uploads.delete(id)
    this.blobs.set(digest, all)
    return { status: 201, headers: { 'docker-content-digest': digest } }
  }
}

type Sha256 = `sha256:${string}` & import('../../src/oci/digest.js').Digest

export function sha256(bytes: string | Buffer): Sha256 {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Sha256
}

/** The body of an error. */
export function refusal(code: string, message: string): Reply {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ errors: [{ code, message }] }) }
}

function unknown(code: string): Reply {
  return { status: 404, ...refusal(code, code.toLowerCase().replaceAll('_', ' ')) }
}

/** A resolver of names that are nobody's; those it does not know do not exist. */
export function resolver(names: Readonly<Record<string, string>>): LookupFunction & { readonly asked: string[] } {
  const asked: string[] = []
  const lookup: LookupFunction = (name, options, callback) => {
    asked.push(name)
    const address = names[name]
    if (address === undefined) {
      const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' })
      return process.nextTick(callback, error, '', 0)
    }
    const family = address.includes(':') ? 6 : 4
    if (options.all === true) process.nextTick(callback, null, [{ address, family }])
    else process.nextTick(callback, null, address, family)
  }
  return Object.assign(lookup, { asked })
}
