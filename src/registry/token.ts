/**
 * Tokens of a token server: by GET, and by OAuth2's POST where there is an identity token. Token requests are never
 * redirected. What the server answers is bounded and looked at field by field.
 */
import { PhylloError } from '../errors.js'
import { readWhole } from './body.js'
import type { Credential } from './credential.js'
import type { Endpoint } from './endpoint.js'
import { type Answer, exchange, facts, named, type Question } from './exchange.js'
import { failureOf } from './failure.js'
import { type Network, refused } from './follow.js'
import { type Realm, withheld } from './realm.js'

export interface TokenRequest {
  readonly endpoint: Endpoint
  readonly base: URL
  readonly realm: Realm
  readonly service: string | undefined
  readonly scopes: readonly string[]
  /** Sent only where the realm is trusted. */
  readonly credential: Credential | undefined
  /** Ask for an identity token, too: at login. */
  readonly offline?: boolean
}

export interface Token {
  readonly value: string
  /** `Date.now()` after which it is not used any more. */
  readonly expiresAt: number
  /** A new identity token. */
  readonly refresh?: string
}

const clientId = 'phyllo'
const answerBytesMax = 64 * 1024
const lifetimeMs = { least: 60_000, most: 24 * 3600_000 }
/** A token is renewed before the request that it would expire in. */
const marginMs = 5_000

/** @throws REGISTRY_AUTH, REGISTRY_DENIED, REGISTRY_REDIRECT, REGISTRY_PROTOCOL, REGISTRY_UNAVAILABLE, REGISTRY_LIMIT */
export async function fetchToken(network: Network, request: TokenRequest, signal: AbortSignal): Promise<Token> {
  const credential = request.realm.trusted ? request.credential : undefined
  if (credential?.kind === 'identity') {
    const token = await ask(network, request, byPost(request, credential.token), signal, [404])
    // No OAuth2 there (distribution-spec): the other way remains, which has no place for identity tokens.
    if (token !== undefined) return token
  }
  return (await ask(network, request, byGet(request, credential), signal))!
}

function byGet({ realm, service, scopes, offline }: TokenRequest, credential: Credential | undefined): Question {
  const url = new URL(realm.url)
  const with_ = url.searchParams
  if (service !== undefined) with_.append('service', service)
  for (const scope of scopes) with_.append('scope', scope)
  if (offline === true) {
    with_.append('offline_token', 'true')
    with_.append('client_id', clientId)
  }
  if (credential?.kind !== 'password') return { method: 'GET', url, headers: {} }
  with_.append('account', credential.username)
  return { method: 'GET', url, headers: { authorization: basic(credential) } }
}

function byPost({ realm, service, scopes }: TokenRequest, refresh: string): Question {
  const form = new URLSearchParams()
  if (service !== undefined) form.append('service', service)
  form.append('client_id', clientId)
  if (scopes.length > 0) form.append('scope', scopes.join(' '))
  form.append('grant_type', 'refresh_token')
  form.append('refresh_token', refresh)
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  return { method: 'POST', url: realm.url, headers, content: Buffer.from(form.toString()) }
}

export function basic({ username, password }: Extract<Credential, { kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Undefined: the status is one of `none`. */
async function ask(
  { connections, reaches, settings }: Network,
  { endpoint, base, realm, credential }: TokenRequest,
  question: Question,
  signal: AbortSignal,
  none: readonly number[] = [],
): Promise<Token | undefined> {
  const own = realm.url.origin === base.origin
  const reach = own ? await reaches.own(endpoint, base) : await reaches.foreign(endpoint, realm.url, 'REGISTRY_AUTH')
  const answer = await exchange(connections, reach, { ...question, signal }, settings.timeouts)
  if (none.includes(answer.status)) answer.discard()
  else if (answer.status >= 300 && answer.status < 400) {
    answer.discard()
    throw refused(answer, 'a token server does not redirect')
  } else if (answer.status !== 200) {
    const hint = credential !== undefined && !realm.trusted ? withheld(realm.url.host) : undefined
    throw await failureOf(answer, { hint })
  } else return tokenOf(answer, await readWhole(answer, answerBytesMax, 'a token'))
  return undefined
}

function tokenOf(answer: Answer, bytes: Buffer): Token {
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw wrong(answer, 'what is no JSON')
  }
  const fields = Object(parsed) as Readonly<Record<string, unknown>>
  const text = (name: string): string | undefined => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (value === undefined || value === null || value === '') return undefined
    // Whatever else it holds would be a second header.
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) throw wrong(answer, `a ${name} that is none`)
    return value
  }
  const value = text('access_token') ?? text('token') ?? undefined
  if (value === undefined) throw wrong(answer, 'no token')
  const refresh = text('refresh_token')
  const { expires_in: seconds, issued_at: issued } = fields
  return { value, expiresAt: expiryOf(seconds, issued), ...(refresh !== undefined && { refresh }) }
}

/** 60 seconds where the server says less, or nothing that makes sense; a day where it says more. */
export function expiryOf(seconds: unknown, issued: unknown, now = Date.now()): number {
  const said = typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : 0
  const lifetime = Math.min(Math.max(said, lifetimeMs.least), lifetimeMs.most)
  const since = typeof issued === 'string' ? Date.parse(issued) : Number.NaN
  // A server whose clock is ahead does not make its tokens live longer.
  return (since <= now ? since : now) + lifetime - marginMs
}

function wrong(answer: Answer, reason: string): PhylloError {
  return new PhylloError(
    'REGISTRY_PROTOCOL',
    `${named(answer)}: the token server answered with ${reason}`,
    facts(answer),
  )
}
