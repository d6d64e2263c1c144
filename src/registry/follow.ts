/**
 * A request with its redirects. They are followed by hand, because each is somebody's word about where to go: at most
 * five, never from https to http, never for what changes something (its body would be sent to whoever is named), never
 * into a network that is none of theirs. What is secret goes to the registry's own origin alone, and is gone for good once
 * a redirect has led away from it.
 */
import { PhylloError } from '../errors.js'
import type { Connections } from './connections.js'
import type { Endpoint } from './endpoint.js'
import { type Answer, exchange, facts, named, type Question } from './exchange.js'
import type { Settings } from './options.js'
import type { Reaches } from './reach.js'
import { said, shownUrl } from './shown.js'

export interface Network {
  readonly connections: Connections
  readonly reaches: Reaches
  readonly settings: Settings
}

export interface Asked extends Question {
  readonly endpoint: Endpoint
  /** The base URL of the endpoint that is in use; `url` is of its origin. */
  readonly base: URL
  readonly authorization?: string | undefined
}

export interface Arrival {
  readonly answer: Answer
  /** The answer is another origin's: its challenges are not the registry's. */
  readonly foreign: boolean
}

const hopsMax = 5
const redirects = new Set([301, 302, 303, 307, 308])

/** Headers that another origin is told. */
const harmless = ['accept', 'range']

/** @throws REGISTRY_REDIRECT, and what `exchange` throws */
export async function follow({ connections, reaches, settings }: Network, asked: Asked): Promise<Arrival> {
  const { endpoint, base, authorization, ...rest } = asked
  let question: Question = withSecrets(rest, authorization)
  let foreign = false
  for (let hops = 1; ; hops++) {
    const own = question.url.origin === base.origin
    const reach = own
      ? await reaches.own(endpoint, base)
      : await reaches.foreign(endpoint, question.url, 'REGISTRY_REDIRECT')
    const answer = await exchange(connections, reach, question, settings.timeouts)
    if (!redirects.has(answer.status)) return { answer, foreign }
    answer.discard()
    const url = targetOf(answer)
    if (hops > hopsMax) throw refused(answer, `more than ${hopsMax} redirects`)
    foreign ||= url.origin !== base.origin
    question = { ...question, url, ...(foreign && { headers: withoutSecrets(rest.headers) }) }
  }
}

function withSecrets(question: Question, authorization: string | undefined): Question {
  return authorization === undefined ? question : { ...question, headers: { ...question.headers, authorization } }
}

function withoutSecrets(headers: Question['headers']): Question['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => harmless.includes(name)))
}

function targetOf(answer: Answer): URL {
  const location = answer.header('location')
  if (location === undefined || !URL.canParse(location, answer.url.href)) {
    const reason = `a redirect to ${location === undefined ? 'nowhere' : `what is no URL, ${said(location)}`}`
    throw new PhylloError('REGISTRY_PROTOCOL', `${named(answer)}: ${reason}`, facts(answer))
  }
  const url = new URL(location, answer.url)
  url.hash = ''
  if (answer.method !== 'GET' && answer.method !== 'HEAD') throw refused(answer, `${answer.method} is not redirected`)
  if (!/^https?:$/.test(url.protocol)) throw refused(answer, `${said(url.protocol)} is not followed`)
  if (url.username !== '' || url.password !== '') throw refused(answer, 'a user in a redirect is not followed')
  if (answer.url.protocol === 'https:' && url.protocol === 'http:')
    throw refused(answer, `${shownUrl(url)} is not encrypted`)
  return url
}

export function refused(answer: Pick<Answer, 'method' | 'url'>, reason: string): PhylloError {
  return new PhylloError('REGISTRY_REDIRECT', `${named(answer)}: ${reason}`, facts(answer))
}

/** A URL that the registry gives for going on with (`Location` of an upload, `Link`): of its own origin or refused. */
export function ownUrl(text: string, answer: Answer, base: URL): URL {
  const url = URL.canParse(text, answer.url.href) ? new URL(text, answer.url) : undefined
  if (url === undefined || url.origin !== base.origin || url.username !== '' || url.password !== '') {
    const where = url === undefined ? said(text) : shownUrl(url)
    throw refused(answer, `leads to ${where}, which is not of its own origin, ${base.origin}`)
  }
  url.hash = ''
  return url
}
