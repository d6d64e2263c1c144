/** What an http or https URL answers, as a stream: by Node's own fetch, or one like it that knows proxies, which follows redirects. */
import type { ReadableStream } from 'node:stream/web'
import { printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'
import { proxyError } from '../registry/proxy-failure.js'
import { ProxyFailure } from '../registry/tunnel.js'

/** Of the answer of a server that refuses, so much is said. */
const toldBytes = 512

/** Without name and password, which are for the server alone. */
export function shownUrl(text: string): string {
  const url = parse(text)
  return url.username === '' && url.password === '' ? text : Object.assign(url, { username: '', password: '' }).href
}

type Body = ReadableStream<Uint8Array> | null

/** A body that ends early when it is destroyed, and that keeps a failure until somebody reads. */
export interface Answer extends AsyncIterable<Uint8Array> {
  destroy(): void
}

export type Fetch = (
  url: string,
  init: { headers: Record<string, string>; signal: AbortSignal },
) => Promise<Pick<Response, 'status' | 'statusText'> & { readonly body: unknown }>

/** The body, when the server answers 200. @throws INPUT_IO, the signal's reason */
export async function openUrl(text: string, signal: AbortSignal, fetch: Fetch): Promise<Answer> {
  const [url, shown] = [parse(text), shownUrl(text)]
  const said = [url.username, url.password].map(decodeURIComponent).join(':')
  const authorization: Record<string, string> =
    said === ':' ? {} : { authorization: `Basic ${Buffer.from(said).toString('base64')}` }
  const abort = new AbortController()
  const destroy = () => abort.abort()
  signal.addEventListener('abort', destroy, { once: true })
  signal.throwIfAborted()
  let response: Awaited<ReturnType<Fetch>>
  try {
    response = await fetch(shown, { signal: abort.signal, headers: authorization })
  } catch (error) {
    signal.throwIfAborted()
    // "fetch failed" says nothing; its cause does.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    if (cause instanceof ProxyFailure) throw proxysFailure(cause, shown)
    const { message, code } = cause as NodeJS.ErrnoException
    throw failed(shown, `failed to GET ${shown}: ${message || code || 'no answer'}`, cause)
  }
  const body = response.body as Body
  if (response.status === 200) return { [Symbol.asyncIterator]: () => chunksOf(body), destroy }
  const reason = await toldBy(body)
  const status = `${response.status} ${response.statusText}`.trim()
  throw failed(shown, `failed to GET ${shown} with status ${status}${reason && `: ${reason}`}`)
}

function parse(text: string): URL {
  try {
    return new URL(text)
  } catch (cause) {
    throw new PhylloError('INPUT_IO', `${text}: not a URL`, { cause })
  }
}

async function* chunksOf(body: Body): AsyncGenerator<Uint8Array, void, void> {
  if (body !== null) yield* body
}

/** The beginning of what the server says to it. */
async function toldBy(body: Body): Promise<string> {
  let told = Buffer.alloc(0)
  try {
    for await (const chunk of body ?? []) {
      told = Buffer.concat([told, chunk])
      if (told.length >= toldBytes) break
    }
  } catch (error) {
    return `error reading body: ${(error as Error).message}`
  }
  return printable(told.toString('latin1', 0, toldBytes).trim().replaceAll(/\s+/g, ' '))
}

function proxysFailure(failure: ProxyFailure, path: string): PhylloError {
  const { proxy, proxyStatus, message } = proxyError(failure, `failed to GET ${path}`, {}, reasonOf(failure.cause))
  const facts = { path, proxy: String(proxy), ...(typeof proxyStatus === 'number' && { proxyStatus }) }
  return new PhylloError('INPUT_IO', message, { ...facts, cause: failure.cause })
}

function reasonOf(cause: unknown): string {
  const { message, code } = Object(cause) as { message?: string; code?: string }
  return message || code || ''
}

function failed(path: string, message: string, cause?: unknown): PhylloError {
  return new PhylloError('INPUT_IO', message, { path, ...(cause !== undefined && { cause }) })
}
