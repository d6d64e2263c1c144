/**
 * Talk with one registry: find out where and how it answers, then send each request with the right it needs. The only way
 * of every operation to the network.
 */
import { PhylloError, withFacts } from '../errors.js'
import { type Api, distribution } from './api.js'
import { Authorizer } from './authorizer.js'
import { type Bound, readWhole } from './body.js'
import { type Challenge, parseChallenges } from './challenge.js'
import type { Credential } from './credential.js'
import type { Endpoint } from './endpoint.js'
import type { Answer, Content, Headers, Method } from './exchange.js'
import { failureOf } from './failure.js'
import { type Arrival, type Asked, follow, type Network, ownUrl } from './follow.js'
import { type OnWait, Patience } from './patience.js'
import { refusesTunnel } from './proxy-failure.js'
import type { Token } from './token.js'
import { SharedWork, withTimeout } from './waiting.js'

export interface Waiting {
  readonly signal?: AbortSignal | undefined
  readonly onWait?: OnWait | undefined
}

export interface Call extends Waiting {
  readonly method: Method
  /** Below the root of the API (`v2/`), or a URL that the registry gave, of its own origin. */
  readonly at: string | URL
  /** What the right is asked for, `repository:a/b:pull`. */
  readonly scopes: readonly string[]
  /** Statuses that are answers; all others are failures. */
  readonly expects: readonly number[]
  readonly headers?: Headers
  readonly content?: Content
  /**
   * `always`: as often as it fails in passing. `refused`: once more after a 401, which has changed nothing. `never`: the
   * content can be made only once.
   */
  readonly repeat: 'always' | 'refused' | 'never'
  readonly answerMs?: number
}

/** A whole answer. */
export interface Document {
  readonly answer: Answer
  readonly bytes: Buffer
}

interface Place {
  readonly base: URL
  readonly authorizer: Authorizer
}

export class Session {
  readonly endpoint: Endpoint
  readonly #network: Network
  readonly #api: Api
  readonly #patience: Patience
  #place: SharedWork<Place> | undefined

  constructor(network: Network, endpoint: Endpoint, api: Api = distribution) {
    this.#network = network
    this.#api = api
    this.endpoint = endpoint
    this.#patience = new Patience(network.settings.retries)
  }

  /** The base URL that answers. */
  async base(signal?: AbortSignal): Promise<URL> {
    return (await this.#found(signal)).base
  }

  /** An answer with one of the expected statuses. @throws every REGISTRY_ code, the signal's reason */
  async send(call: Call): Promise<Answer> {
    const place = await this.#found(call.signal)
    const url = typeof call.at === 'string' ? this.#urlOf(place.base, call.at) : call.at
    let { scopes } = call
    let again = call.repeat !== 'never'
    for (;;) {
      // A token is fetched as often as that fails in passing: it must not be so for each attempt of the request.
      const authorization = await place.authorizer.header(scopes, call.signal)
      const asked = this.#asked(call, place, url, authorization)
      const arrival = await this.#patience.repeat(() => this.#ask(asked, call, place.authorizer, again), call.signal, {
        attempts: call.repeat === 'always' ? undefined : 1,
        onWait: call.onWait,
      })
      const { answer } = arrival
      if (call.expects.includes(answer.status)) return answer
      const challenges = challengesOf(arrival)
      const wider = await place.authorizer.again(challenges, scopes, authorization, call.signal)
      if (wider === undefined)
        throw await failureOf(answer, { challenges, hint: hintOf(arrival, place.authorizer, authorization) })
      answer.discard()
      again = false
      scopes = wider
    }
  }

  /** The same with the whole of the answer's body, within `totalMs`. */
  async document(call: Call, bound: Bound, what: string): Promise<Document> {
    const { totalMs } = this.#network.settings.timeouts
    const place = { method: call.method, url: new URL('/', this.endpoint.bases[0]) }
    return withTimeout(totalMs, place, call.signal, async signal => {
      for (let attempt = 1; ; attempt++) {
        const answer = await this.send({ ...call, signal })
        try {
          return { answer, bytes: await readWhole(answer, bound, what) }
        } catch (error) {
          // A request repeats itself only until the head of its answer is there.
          await this.#patience.after(error, attempt, signal)
        }
      }
    })
  }

  /** Repeats what is more than one request as one request is: work that fails in passing, after a wait. */
  repeat<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#patience.repeat(work, signal)
  }

  /** Waits as after the `attempt`-th failure in passing. @throws the error itself when it was the last, or is no such one */
  afterFailure(error: unknown, attempt: number, { signal, onWait }: Waiting): Promise<void> {
    return this.#patience.after(error, attempt, signal, { onWait })
  }

  /** A URL out of the answer of the registry. @throws REGISTRY_REDIRECT for another origin's */
  async ownUrl(text: string, answer: Answer): Promise<URL> {
    return ownUrl(text, answer, await this.base())
  }

  /**
   * Whether the registry takes the credential, and the identity token that its token server gives for it.
   * @throws REGISTRY_AUTH and others
   */
  async login(credential: Credential, signal?: AbortSignal): Promise<Token | undefined> {
    const { authorizer } = await this.#found(signal)
    const token = await authorizer.offlineToken(credential, signal)
    ;(await this.send({ method: 'GET', at: '', scopes: [], expects: [200], repeat: 'always', signal })).discard()
    return token
  }

  /** The first of the endpoint's URLs that answers, found out once; after a failure, the next call tries again. */
  #found(signal: AbortSignal | undefined): Promise<Place> {
    if (this.#place?.isLost !== false) this.#place = new SharedWork(stop => this.#find(stop))
    return this.#place.wait(signal)
  }

  async #find(signal: AbortSignal): Promise<Place> {
    const { bases } = this.endpoint
    for (const [at, base] of bases.entries()) {
      try {
        return await this.#ping(base, at === bases.length - 1, signal)
      } catch (error) {
        // Who answers https at all, whatever it says, is not asked over http.
        const silent =
          error instanceof PhylloError &&
          ((error.code === 'REGISTRY_UNAVAILABLE' && error.status === undefined) || refusesTunnel(error))
        if (!silent || at === bases.length - 1) throw error
      }
    }
    throw new TypeError('an endpoint without a URL')
  }

  /** Only the last place is tried again: before it there is another way. */
  #ping(base: URL, last: boolean, signal: AbortSignal): Promise<Place> {
    const url = this.#urlOf(base, this.#api.ping)
    const { tokenMs } = this.#network.settings.timeouts
    return withTimeout(tokenMs, { method: 'GET', url }, signal, signal =>
      this.#patience.repeat(() => this.#pingOnce(base, url, signal), signal, { attempts: last ? undefined : 1 }),
    )
  }

  async #pingOnce(base: URL, url: URL, signal: AbortSignal): Promise<Place> {
    const call = { method: 'GET', at: url, scopes: [], expects: [], repeat: 'always', signal } as const
    const arrival = await follow(this.#network, { ...call, url, headers: {}, endpoint: this.endpoint, base })
    const { answer, foreign } = arrival
    const authorizer = new Authorizer(this.#network, this.endpoint, base, this.#patience)
    if (answer.status === 401 && !foreign) authorizer.challenged(challengesOf(arrival))
    else if (!this.#api.alive.includes(answer.status))
      throw await failureOf(answer, { hint: 'no registry answers there' })
    answer.discard()
    return { base, authorizer }
  }

  /** An answer that is expected, or with `again` a refusal that other rights may mend. */
  async #ask(asked: Asked, call: Call, authorizer: Authorizer, again: boolean): Promise<Arrival> {
    const arrival = await follow(this.#network, asked)
    const { answer, foreign } = arrival
    if (call.expects.includes(answer.status) || (again && answer.status === 401 && !foreign)) return arrival
    const hint = hintOf(arrival, authorizer, asked.authorization)
    throw await failureOf(answer, { challenges: challengesOf(arrival), hint })
  }

  #urlOf(base: URL, path: string): URL {
    return new URL(`${this.#api.root}${path}`, base)
  }

  #asked(call: Call, { base }: Place, url: URL, authorization: string | undefined): Asked {
    const { method, headers = {}, content, answerMs, signal } = call
    return {
      ...{ method, url, headers, base, signal, endpoint: this.endpoint },
      ...(authorization !== undefined && { authorization }),
      ...(content !== undefined && { content }),
      ...(answerMs !== undefined && { answerMs }),
    }
  }
}

/** Of a refusal by the registry itself; another origin's are not for us to meet. */
function challengesOf({ answer, foreign }: Arrival): readonly Challenge[] {
  if (answer.status !== 401 || foreign) return []
  try {
    return parseChallenges(answer.headers('www-authenticate'))
  } catch (error) {
    answer.discard()
    throw withFacts(error, { host: answer.url.host, status: answer.status }, answer.url.host)
  }
}

function hintOf({ answer, foreign }: Arrival, authorizer: Authorizer, sent: string | undefined): string | undefined {
  if (answer.status !== 401) return undefined
  if (foreign) return `${answer.url.host}, where the registry has redirected to, wants credentials, and is given none`
  return authorizer.hint(sent)
}
