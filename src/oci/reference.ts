/**
 * Image references: grammar and normalisation of distribution/reference.
 *
 * Invariants: a Reference is normalised (a domain, a lower-case path, `library/` written out); `parseReference` takes
 * time linear in a text that is bounded first; canonicalName(parseReference(t)) parses to an equal Reference. The
 * familiar name is for people: Docker's own rule makes `docker.io/localhost/x` and `localhost/x` look alike.
 */
import { PhylloError } from '../errors.js'
import { type Digest, parseDigest } from './digest.js'
import { quoted } from './quoted.js'

export interface Reference {
  /** `docker.io`, `localhost:5000`; always present. */
  readonly domain: string
  /** `library/alpine`; always present, lower case. */
  readonly path: string
  readonly tag?: string
  readonly digest?: Digest
}

const defaultDomain = 'docker.io'
const legacyDomain = 'index.docker.io'
const officialPrefix = 'library/'
const defaultTag = 'latest'

/** Characters of a whole path; distribution/reference has the same bound. */
const pathMax = 255
/** Characters of a domain with its port: DNS stops at 253 before that. */
const domainMax = 262
const tagMax = 128
/** Two names, a tag, a sha512 digest and their separators: nothing longer can be a reference. */
const referenceMax = domainMax + pathMax + tagMax + 135 + 3

const imageIdGrammar = /^[0-9a-f]{64}$/
const componentGrammar = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/
const labelGrammar = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/
const ipv6Grammar = /^\[[0-9A-Fa-f:]+\]$/
const portGrammar = /^[0-9]+$/
const tagGrammar = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

/** `[registry[:port]/]repository[:tag][@digest]`, as a user types it. Throws REFERENCE_INVALID with the reason. */
export function parseReference(text: string): Reference {
  if (text === '') refuse(text, 'it is empty')
  if (text.length > referenceMax) refuse(text, `${text.length} characters are too many for a reference`)
  if (imageIdGrammar.test(text)) refuse(text, '64 hex digits are an image id, not a name')
  const [name, digest] = cut(text, '@')
  const [domain, remainder] = splitDomain(name)
  // No path component holds a colon, so the first one begins the tag.
  const [path, tag] = cut(remainder, ':')
  checkDomain(text, domain)
  checkPath(text, path)
  if (tag !== undefined) checkTag(text, tag)
  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: checkDigest(text, digest) }),
  }
}

/** What a registry lists as tags need not be any. */
export function isTag(text: string): boolean {
  return text.length <= tagMax && tagGrammar.test(text)
}

/** The same reference, with the tag `latest` if it has neither a tag nor a digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: defaultTag } : reference
}

/** `docker.io/library/x`. */
export function canonicalRepository(reference: Reference): string {
  return `${reference.domain}/${reference.path}`
}

/** `docker.io/library/x:1`, with `@sha256:…` behind it if there is a digest. */
export function canonicalName(reference: Reference): string {
  return canonicalRepository(reference) + suffixOf(reference)
}

/** `x` for `docker.io/library/x`, `a/b` for `docker.io/a/b`; other domains stay. The keys of repositories.json. */
export function familiarRepository({ domain, path }: Reference): string {
  if (domain !== defaultDomain) return `${domain}/${path}`
  const official = path.startsWith(officialPrefix) && !path.includes('/', officialPrefix.length)
  return official ? path.slice(officialPrefix.length) : path
}

/** `x:1`, as Docker shows references to people. */
export function familiarName(reference: Reference): string {
  return familiarRepository(reference) + suffixOf(reference)
}

function suffixOf({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`)
}

function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

function splitDomain(name: string): [domain: string, remainder: string] {
  const [first, rest] = cut(name, '/')
  if (rest === undefined) return [defaultDomain, officialPrefix + name]
  if (first !== 'localhost' && !/[.:]/.test(first) && first.toLowerCase() === first) return [defaultDomain, name]
  const domain = first === legacyDomain ? defaultDomain : first
  return [domain, domain === defaultDomain && !rest.includes('/') ? officialPrefix + rest : rest]
}

function checkDomain(text: string, domain: string): void {
  if (domain.length > domainMax) refuse(text, `the registry name is longer than ${domainMax} characters`)
  const bracket = domain.lastIndexOf(']')
  const colon = domain.indexOf(':', bracket + 1)
  const host = colon === -1 ? domain : domain.slice(0, colon)
  if (colon !== -1 && !portGrammar.test(domain.slice(colon + 1))) {
    refuse(text, `${quoted(domain)} has a port that is not a number`)
  }
  if (ipv6Grammar.test(host)) return
  for (const label of host.split('.')) {
    if (!labelGrammar.test(label)) refuse(text, `${quoted(host)} is not a registry name`)
  }
}

function checkPath(text: string, path: string): void {
  if (path === '') refuse(text, 'the repository name is empty')
  if (path.toLowerCase() !== path) refuse(text, `repository name ${quoted(path)} must be lowercase`)
  if (path.length > pathMax) refuse(text, `repository name must not be more than ${pathMax} characters`)
  for (const component of path.split('/')) {
    if (!componentGrammar.test(component)) refuse(text, `${quoted(component)} is not a component of a repository name`)
  }
}

function checkTag(text: string, tag: string): void {
  if (tag === '') refuse(text, 'the tag is empty')
  if (tag.length > tagMax) refuse(text, `the tag is longer than ${tagMax} characters`)
  if (!tagGrammar.test(tag)) refuse(text, `${quoted(tag)} is not a tag`)
}

function checkDigest(text: string, digest: string): Digest {
  try {
    return parseDigest(digest)
  } catch (error) {
    return refuse(text, `${quoted(digest)} is not a digest`, error)
  }
}

function refuse(text: string, reason: string, cause?: unknown): never {
  throw new PhylloError('REFERENCE_INVALID', `invalid reference ${quoted(text)}: ${reason}`, {
    reason,
    ...(cause === undefined ? {} : { cause }),
  })
}
