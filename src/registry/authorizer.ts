/**
 * The right to ask one registry: what its challenge wants, out of the credentials that the user has for it, for the scopes
 * that a request needs. Tokens are kept until they expire, each for exactly its scopes, and fetched once however many
 * requests wait for one.
 */
import { PhylloError } from '../errors.js'
import { type Challenge, chooseChallenge } from './challenge.js'
import type { Credential } from './credential.js'
import type { Endpoint } from './endpoint.js'
import type { Network } from './follow.js'
import type { Patience } from './patience.js'
import { realmOf, withheld } from './realm.js'
import { basic, fetchToken, type Token } from './token.js'
import { SharedWork, withTimeout } from './waiting.js'

/** What a scope is made of; a resource's name may hold the colon of a port. An action is a word, Azure's `metadata_read` too. */
const scopeGrammar = /^[a-z]+(?:\([a-z]+\))?:[A-Za-z0-9._:/*-]+:[a-z_*]+(?:,[a-z_*]+)*$/
const scopesMax = 8
/** Tokens that are kept at most. */
const tokensMax = 256

export class Authorizer {
  readonly #network: Network
  readonly #endpoint: Endpoint
  readonly #base: URL
  readonly #patience: Patience
  /** Some are still being fetched, or could not be. */
  readonly #tokens = new Map<string, SharedWork<Token>>()
  #challenge: Challenge | undefined
  #credential: SharedWork<Credential | undefined> | undefined
  /** An identity token that the server gave for an older one. */
  #refreshed: string | undefined
  /** Host of a token server that was asked without the credentials there are. */
  #withheld: string | undefined

  constructor(network: Network, endpoint: Endpoint, base: URL, patience: Patience) {
    this.#network = network
    this.#endpoint = endpoint
    this.#base = base
    this.#patience = patience
  }

  /** The header to send with a request for the scopes; undefined where none is wanted, or nothing is there to send. */
  async header(scopes: readonly string[], signal: AbortSignal | undefined): Promise<string | undefined> {
    const credential = await this.credential(signal)
    if (credential?.kind === 'registry') return `Bearer ${credential.token}`
    const challenge = this.#challenge
    if (challenge === undefined) return undefined
    if (challenge.scheme === 'basic') return credential?.kind === 'password' ? basic(credential) : undefined
    return `Bearer ${(await this.#token(challenge, scopes, credential, signal)).value}`
  }

  /** Looked up once. @throws REGISTRY_CREDENTIALS */
  credential(signal: AbortSignal | undefined): Promise<Credential | undefined> {
    const { credentials } = this.#network.settings
    if (this.#credential?.isLost !== false)
      this.#credential = new SharedWork(stop => credentials.get(this.#endpoint.credentialKey, stop))
    return this.#credential.wait(signal)
  }

  /** Why a refusal may be ours to mend; `sent` is the header of the request. */
  hint(sent: string | undefined): string | undefined {
    if (this.#withheld !== undefined) return withheld(this.#withheld)
    return sent === undefined ? 'no credentials for this registry: log in' : undefined
  }

  /** What the registry's ping, or a refusal by it, asks for. */
  challenged(challenges: readonly Challenge[]): void {
    this.#challenge = chooseChallenge(challenges) ?? this.#challenge
  }

  /**
   * After a 401: the scopes to ask with once more, or undefined where that would change nothing. `sent` is the header that
   * was refused.
   */
  async again(
    challenges: readonly Challenge[],
    scopes: readonly string[],
    sent: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<readonly string[] | undefined> {
    this.challenged(challenges)
    const challenge = this.#challenge
    const credential = await this.credential(signal)
    if (challenge === undefined || credential?.kind === 'registry') return undefined
    if (challenge.scheme === 'basic') return (await this.header(scopes, signal)) === sent ? undefined : scopes
    // Some servers read the first scope alone: what was missing stands there.
    const missing = scopesOf(challenge).filter(scope => !scopes.some(have => covers(have, scope)))
    if (sent !== undefined) this.#drop(this.#keyOf(challenge, scopes, credential), sent)
    return [...missing, ...scopes]
  }

  /** A token that was refused, unless another one has come in its place since. */
  #drop(key: string, sent: string): void {
    if (sent === `Bearer ${this.#tokens.get(key)?.done?.value.value}`) this.#tokens.delete(key)
  }

  /**
   * A token that was not kept, and the identity token that comes with it: a login. @throws REGISTRY_AUTH for a token server
   * that is not given the credentials: what it gives to everybody says nothing of them
   */
  async offlineToken(credential: Credential, signal: AbortSignal | undefined): Promise<Token | undefined> {
    const challenge = this.#challenge
    if (challenge?.scheme !== 'bearer') return undefined
    const { host } = this.#endpoint
    const realm = realmOf(challenge.parameters.get('realm'), this.#endpoint, this.#base)
    if (!realm.trusted) throw new PhylloError('REGISTRY_AUTH', `${host}: ${withheld(realm.url.host)}`, { host })
    return this.#fetch(challenge, [], credential, true, signal)
  }

  #token(
    challenge: Challenge,
    scopes: readonly string[],
    credential: Credential | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const key = this.#keyOf(challenge, scopes, credential)
    const kept = this.#tokens.get(key)
    if (kept !== undefined && isGood(kept)) return kept.wait(signal)
    const token = new SharedWork(stop => this.#fetch(challenge, scopes, credential, false, stop))
    this.#keep(key, token)
    return token.wait(signal)
  }

  async #fetch(
    challenge: Challenge,
    scopes: readonly string[],
    credential: Credential | undefined,
    offline: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const [endpoint, base] = [this.#endpoint, this.#base]
    const realm = realmOf(challenge.parameters.get('realm'), endpoint, base)
    this.#withheld = credential !== undefined && !realm.trusted ? realm.url.host : undefined
    const identity = this.#refreshed
    const newest =
      credential?.kind === 'identity' && identity !== undefined ? { ...credential, token: identity } : credential
    const request = {
      endpoint,
      base,
      realm,
      service: challenge.parameters.get('service'),
      scopes,
      credential: newest,
      offline,
    }
    const { tokenMs } = this.#network.settings.timeouts
    const token = await withTimeout(tokenMs, { method: 'GET', url: realm.url }, signal, signal =>
      this.#patience.repeat(() => fetchToken(this.#network, request, signal), signal),
    )
    if (credential?.kind === 'identity' && token.refresh !== undefined) this.#refreshed = token.refresh
    return token
  }

  #keep(key: string, token: SharedWork<Token>): void {
    // Behind all others: the first one is the oldest.
    this.#tokens.delete(key)
    this.#tokens.set(key, token)
    const [oldest] = this.#tokens.keys()
    if (this.#tokens.size > tokensMax && oldest !== undefined) this.#tokens.delete(oldest)
  }

  /** By everything that a token is for; the order in which scopes are named is nothing of that. */
  #keyOf({ parameters }: Challenge, scopes: readonly string[], credential: Credential | undefined): string {
    const user =
      credential === undefined || credential.kind === 'registry' ? [] : [credential.kind, credential.username]
    return JSON.stringify([parameters.get('realm'), parameters.get('service'), [...new Set(scopes)].sort(), user])
  }
}

function isGood({ isLost, done }: SharedWork<Token>): boolean {
  return !isLost && (done === undefined || done.value.expiresAt > Date.now())
}

function scopesOf({ parameters }: Challenge): string[] {
  const named = (parameters.get('scope') ?? '').split(' ')
  return named.filter(scope => scopeGrammar.test(scope)).slice(0, scopesMax)
}

/** Same resource, and at least the same actions. A name may hold colons, so both ends are cut off. */
function covers(have: string, wanted: string): boolean {
  const cut = (scope: string) => scope.lastIndexOf(':')
  if (have.slice(0, cut(have)) !== wanted.slice(0, cut(wanted))) return false
  const actions = have.slice(cut(have) + 1).split(',')
  return wanted
    .slice(cut(wanted) + 1)
    .split(',')
    .every(action => actions.includes(action))
}
