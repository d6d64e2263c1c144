/** What an http or https URL answers, as a stream: by Node's own fetch, which follows redirects. */
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'

/** Of the answer of a server that refuses, so much is said. */
const toldBytes = 512

/** Without name and password, which are for the server alone. */
export function shownUrl(text: string): string {
  const url = parse(text)
  return url.username === '' && url.password === '' ? text : Object.assign(url, { username: '', password: '' }).href
}

/** The body, when the server answers 200. @throws INPUT_IO, the signal's reason */
export async function openUrl(text: string, signal: AbortSignal): Promise<Readable> {
  const [url, shown] = [parse(text), shownUrl(text)]
  const said = [url.username, url.password].map(decodeURIComponent).join(':')
  const authorization = said === ':' ? {} : { authorization: `Basic ${Buffer.from(said).toString('base64')}` }
  let response: Response
  try {
    response = await fetch(shown, { signal, headers: authorization })
  } catch (error) {
    signal.throwIfAborted()
    // "fetch failed" says nothing; its cause does.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const { message, code } = cause as NodeJS.ErrnoException
    throw failed(shown, `failed to GET ${shown}: ${message || code}`, cause)
  }
  const body = response.body as ReadableStream<Uint8Array> | null
  if (response.status === 200) return body === null ? Readable.from([]) : Readable.fromWeb(body)
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

/** The beginning of what the server says to it. */
async function toldBy(body: ReadableStream<Uint8Array> | null): Promise<string> {
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

function failed(path: string, message: string, cause?: unknown): PhylloError {
  return new PhylloError('INPUT_IO', message, { path, ...(cause !== undefined && { cause }) })
}
