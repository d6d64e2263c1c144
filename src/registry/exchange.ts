/**
 * One request and its answer, once: no redirect, no second try, no rights. Every wait has a limit and ends with the
 * caller's signal; what comes back is the identity encoding or is refused, because digests are of those bytes.
 */
import { isErrno, PhylloError } from '../errors.js'
import { IdleClock } from './clock.js'
import type { Connections, Response } from './connections.js'
import type { Timeouts } from './options.js'
import { isPassingProxy, proxyError } from './proxy-failure.js'
import type { Reach } from './reach.js'
import { said, shownUrl } from './shown.js'
import { ProxyFailure } from './tunnel.js'

const sliceBytes = 64 * 1024

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
export type Headers = Readonly<Record<string, string>>

/** Bytes to send: in hand, or made anew for each try. */
export type Content = Uint8Array | (() => AsyncIterable<Uint8Array>)

export interface Question {
  readonly method: Method
  readonly url: URL
  readonly headers: Headers
  readonly content?: Content
  /** Instead of the timeout of that name: for what takes a server longer. */
  readonly answerMs?: number
  readonly signal?: AbortSignal | undefined
}

/** What messages say of a request. */
interface Told {
  readonly method: Method
  readonly url: URL
  /** The origin of who carried it. */
  readonly proxy?: string | undefined
}

export interface Answer {
  readonly status: number
  readonly url: URL
  readonly method: Method
  readonly proxy?: string | undefined
  /** The one value of a header, the first of several; undefined for none. */
  header(name: string): string | undefined
  headers(name: string): readonly string[]
  /** To be read once, or given up with `discard`. */
  readonly body: AsyncIterable<Uint8Array>
  discard(): void
}

/** @throws REGISTRY_UNAVAILABLE, REGISTRY_PROTOCOL, REGISTRY_REDIRECT (an address that is not allowed), the signal's reason */
export async function exchange(
  connections: Connections,
  reach: Reach,
  asking: Question,
  timeouts: Timeouts,
): Promise<Answer> {
  const question = { ...asking, ...(reach.through && { proxy: reach.through.origin }) }
  const { method, url, headers, content, signal } = question
  signal?.throwIfAborted()
  const stop = new AbortController()
  const aborted = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', aborted, { once: true })
  const release = () => signal?.removeEventListener('abort', aborted)
  const late = (reason: string) => stop.abort(timedOut(question, reason))
  const sending = new Sending(question, timeouts, late)
  try {
    const asked = connections.request(reach, url, {
      method,
      headers: { 'accept-encoding': 'identity', 'user-agent': 'phyllo', ...lengthOf(content), ...headers },
      ...(sending.body !== undefined && { body: sending.body }),
      signal: stop.signal,
    })
    const answer = await orAborted(asked, stop.signal)
    sending.done()
    refuseProxys(reach, url, answer)
    return answerOf(question, answer, timeouts.idleMs, stop, release)
  } catch (error) {
    sending.done()
    release()
    if (stop.signal.aborted) throw stop.signal.reason
    throw asFailure(question, error)
  }
}

/** 407 in the clear is the proxy's word; along a tunnel it is the registry's. @throws ProxyFailure */
function refuseProxys({ through }: Reach, url: URL, { statusCode: status, headers, body }: Response): void {
  if (through === undefined || url.protocol !== 'http:' || status !== 407) return
  body.on('error', () => undefined).destroy()
  throw new ProxyFailure(through, { status, challenges: [headers['proxy-authenticate'] ?? []].flat() })
}

/** undici looks at the signal only once it is connected; this does at once, and lets go of what comes after all. */
function orAborted(asked: Promise<Response>, signal: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    asked.then(answer => {
      if (signal.aborted) answer.body.on('error', () => undefined).destroy()
      else resolve(answer)
    }, reject)
  })
}

/** The body on its way out, and the clocks: first for each piece that the server takes, then for its answer. */
class Sending {
  readonly body: AsyncIterable<Uint8Array> | undefined
  readonly #answerMs: number
  readonly #late: (reason: string) => void
  #answer: NodeJS.Timeout | undefined
  #idle: IdleClock | undefined
  #over = false

  constructor({ content, answerMs }: Question, timeouts: Timeouts, late: (reason: string) => void) {
    this.#answerMs = answerMs ?? timeouts.answerMs
    this.#late = late
    if (content === undefined) this.#awaitAnswer()
    else {
      this.body = this.#pieces(typeof content === 'function' ? content : () => slicesOf(content), timeouts.idleMs)
      this.#idle = this.#clock(timeouts.idleMs)
    }
  }

  #clock(ms: number): IdleClock {
    const clock = new IdleClock(ms, () => this.#late(`nothing was taken for ${ms / 1000} s`))
    clock.wait()
    return clock
  }

  async *#pieces(content: () => AsyncIterable<Uint8Array>, idleMs: number): AsyncGenerator<Uint8Array, void, void> {
    this.#idle?.stop()
    for await (const piece of content()) {
      if (piece.length === 0) continue
      this.#idle?.stop()
      this.#idle = this.#clock(idleMs)
      yield piece
      // Time in which the next piece is made is ours.
      this.#idle.stop()
    }
    this.#idle?.stop()
    this.#awaitAnswer()
  }

  #awaitAnswer(): void {
    // A server may answer before it has taken everything; the rest then ends after the answer.
    if (this.#over) return
    const ms = this.#answerMs
    this.#answer = setTimeout(() => this.#late(`no answer for ${ms / 1000} s`), ms)
  }

  done(): void {
    this.#over = true
    clearTimeout(this.#answer)
    this.#idle?.stop()
  }
}

function lengthOf(content: Content | undefined): Headers {
  return content instanceof Uint8Array ? { 'content-length': String(content.length) } : {}
}

/** So that time is measured for each of them: a large chunk may take a slow connection long. */
async function* slicesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += sliceBytes) yield bytes.subarray(at, at + sliceBytes)
}

function answerOf(
  question: Question & Told,
  { statusCode, headers, body }: Response,
  idleMs: number,
  stop: AbortController,
  release: () => void,
): Answer {
  // A body that nobody reads any more may still fail.
  body.on('error', () => undefined).once('close', release)
  const values = (name: string) => [headers[name.toLowerCase()] ?? []].flat()
  const answer: Answer = {
    status: statusCode,
    url: question.url,
    method: question.method,
    proxy: question.proxy,
    headers: values,
    header: name => values(name)[0],
    body: pieces(question, body, idleMs, stop),
    discard: () => void body.destroy(),
  }
  const encoding = values('content-encoding').join(',').toLowerCase()
  if (encoding === '' || encoding === 'identity') return answer
  answer.discard()
  const reason = `the answer has the encoding ${said(encoding)}, though none was asked for`
  throw new PhylloError('REGISTRY_PROTOCOL', `${named(question)}: ${reason}`, facts(question))
}

async function* pieces(
  question: Told,
  body: Response['body'],
  ms: number,
  stop: AbortController,
): AsyncGenerator<Uint8Array, void, void> {
  const clock = new IdleClock(ms, () => stop.abort(timedOut(question, `the answer stalled for ${ms / 1000} s`)))
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  try {
    for (;;) {
      clock.wait()
      const { done, value } = await iterator.next()
      clock.got(value?.length ?? 0)
      if (done) return
      yield value
    }
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : asFailure(question, error)
  } finally {
    clock.stop()
    body.destroy()
  }
}

function asFailure(question: Told, error: unknown): PhylloError {
  if (error instanceof PhylloError) return Object.assign(error, facts(question))
  if (error instanceof ProxyFailure) {
    const { message, code } = firstOf(error.cause)
    return proxyError(error, named(question), facts(question), message || code || '')
  }
  const { name, message, code } = firstOf(error)
  if (name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW') {
    const reason = `the answer is not HTTP: ${said(message || code || '')}`
    return new PhylloError('REGISTRY_PROTOCOL', `${named(question)}: ${reason}`, { ...facts(question), cause: error })
  }
  return failed(question, message || code || 'failed', error)
}

/** What two addresses of a host failed with is an AggregateError without words of its own. */
function firstOf(error: unknown): Pick<NodeJS.ErrnoException, 'name' | 'message' | 'code'> {
  const first = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error ? (first as NodeJS.ErrnoException) : { name: '', message: String(first) }
}

function failed(question: Told, reason: string, cause: unknown): PhylloError {
  const words = `${said(reason)}${throughProxy(question)}`
  return new PhylloError('REGISTRY_UNAVAILABLE', `${named(question)}: ${words}`, { ...facts(question), cause })
}

export function timedOut(question: Told, reason: string): PhylloError {
  return failed(question, reason, Object.assign(new Error(reason), { code: 'ETIMEDOUT' }))
}

/** What may be over a moment later: not a certificate that is wrong, nor a name that is none. */
export function isPassing(error: unknown): error is PhylloError {
  if (!(error instanceof PhylloError)) return false
  if (error.code === 'REGISTRY_LIMIT' || isPassingProxy(error)) return true
  return (
    error.code === 'REGISTRY_UNAVAILABLE' && (error.status !== undefined || isErrno(firstOf(error.cause), ...passing))
  )
}

const passing: readonly string[] = [
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'],
]

export function named({ method, url }: Told): string {
  return `${method} ${shownUrl(url)}`
}

/** The end of a message about what a proxy has carried: it may be to blame. */
export function throughProxy({ proxy }: Pick<Told, 'proxy'>): string {
  return proxy === undefined ? '' : `, through the proxy ${proxy}`
}

export function facts({ method, url, proxy }: Told) {
  return { operation: method, path: shownUrl(url), host: url.host, ...(proxy !== undefined && { proxy }) }
}
