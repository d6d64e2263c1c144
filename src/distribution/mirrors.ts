/**
 * Mirrors, as the user names them: which URLs are asked before a registry, and after which failures the next one is. For
 * pulls alone: a mirror is neither pushed to nor logged in to nor searched.
 */
import { type ErrorCode, errorCodes } from '../errors.js'
import { baseUrl, hubDomain } from '../registry/endpoint.js'
import { canonicalHost } from '../registry/host.js'

export interface MirrorRule {
  /** `host[:port]` of a registry as references name it, or `*.example.com` for all that is below it. The longest match decides. */
  readonly host: string
  /** http or https, with a path where it needs one; asked in this order, then the registry itself. */
  readonly endpoints: readonly string[]
  /**
   * Which failures of a mirror lead on to the next endpoint: all that are its own (`continue`, the default), none
   * (`fail`), or those with one of these codes.
   */
  readonly onError?: 'continue' | 'fail' | readonly ErrorCode[]
}

export interface MirrorOptions {
  /** Of Docker Hub, as in daemon.json: what `mirrors` says of `docker.io` goes before. */
  readonly registryMirrors?: readonly string[]
  readonly mirrors?: readonly MirrorRule[]
}

export interface Mirror {
  readonly url: string
  /** Whether the next endpoint is asked after this failure. */
  continues(error: unknown): boolean
}

/**
 * What a server can be to blame for: it is away or refuses, or what it sends is not what it should be. All else (a full
 * disk, an aborted signal) would be no better elsewhere.
 */
const faults: ReadonlySet<string> = new Set<ErrorCode>([
  ...(Object.keys(errorCodes) as ErrorCode[]).filter(code => code.startsWith('REGISTRY_')),
  ...(['DIGEST_MISMATCH', 'SIZE_MISMATCH', 'DIFF_ID_MISMATCH', 'DIGEST_SYNTAX'] as const),
  ...(['MANIFEST_INVALID', 'MANIFEST_AMBIGUOUS', 'CONFIG_INVALID', 'PLATFORM_NOT_FOUND'] as const),
  ...(['LIMIT_EXCEEDED', 'COMPRESSION_INVALID', 'TAR_INVALID'] as const),
])

export class Mirrors {
  readonly #exact = new Map<string, readonly Mirror[]>()
  /** By what comes after the star, `.example.com`. */
  readonly #below = new Map<string, readonly Mirror[]>()

  /** @throws TypeError that says what is wrong with which rule */
  constructor({ registryMirrors = [], mirrors = [] }: MirrorOptions = {}) {
    for (const rule of listOf<MirrorRule>(mirrors, 'mirrors')) this.#add(rule)
    const urls = listOf<string>(registryMirrors, 'registryMirrors')
    const hub = mirrorsOf(urls, 'registryMirrors', 'continue')
    if (!this.#exact.has(hubDomain)) this.#exact.set(hubDomain, hub)
  }

  /** Of the registry that a reference names by its domain, in order. */
  of(domain: string): readonly Mirror[] {
    const host = canonicalHost(domain) ?? domain
    const exact = this.#exact.get(host)
    if (exact !== undefined) return exact
    const longest = [...this.#below.keys()]
      .filter(tail => host.endsWith(tail) && host.length > tail.length)
      .sort((a, b) => b.length - a.length)[0]
    return longest === undefined ? [] : this.#below.get(longest)!
  }

  #add(rule: MirrorRule): void {
    const { host: text, endpoints, onError = 'continue' } = Object(rule) as MirrorRule
    const shown = `mirrors: ${JSON.stringify(text)}`
    const wildcard = typeof text === 'string' && text.startsWith('*.')
    const host = typeof text === 'string' ? canonicalHost(wildcard ? text.slice(2) : text) : undefined
    if (host === undefined) throw new TypeError(`${shown} is neither host[:port] nor *.host[:port]`)
    const [rules, key] = wildcard
      ? ([this.#below, `.${host}`] as const)
      : ([this.#exact, host === `index.${hubDomain}` ? hubDomain : host] as const)
    if (rules.has(key)) throw new TypeError(`${shown} has two rules`)
    rules.set(key, mirrorsOf(listOf<string>(endpoints, `${shown}: endpoints`), shown, onError))
  }
}

function mirrorsOf(urls: readonly string[], shown: string, onError: unknown): readonly Mirror[] {
  const codes = codesOf(onError, shown)
  const continues = (error: unknown) => {
    const { code, mediaType } = Object(error) as { code?: unknown; mediaType?: unknown }
    // What is no image here is none anywhere.
    return typeof code === 'string' && mediaType === undefined && codes.has(code)
  }
  const hrefs = urls.map(text => {
    try {
      return baseUrl(String(text)).href
    } catch (error) {
      throw new TypeError(`${shown}: ${(error as Error).message}`)
    }
  })
  return [...new Set(hrefs)].map(url => ({ url, continues }))
}

function codesOf(onError: unknown, shown: string): ReadonlySet<string> {
  if (onError === 'continue') return faults
  if (onError === 'fail') return new Set()
  if (!Array.isArray(onError)) throw new TypeError(`${shown}: onError is continue, fail or a list of error codes`)
  for (const code of onError)
    if (!faults.has(code)) throw new TypeError(`${shown}: onError: ${JSON.stringify(code)} is no failure of a mirror`)
  return new Set(onError)
}

function listOf<T>(value: readonly T[], name: string): readonly T[] {
  if (Array.isArray(value)) return value
  throw new TypeError(`${name} is not a list`)
}
