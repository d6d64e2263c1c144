/**
 * `WWW-Authenticate` (RFC 7235): what a server wants to see. It is a hostile text like any other: few challenges, few
 * bytes, one pass, nothing twice.
 */
import { PhylloError } from '../errors.js'

export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string
  /** Names in lower case; values as they are meant, without quotes and escapes. */
  readonly parameters: ReadonlyMap<string, string>
}

const challengesMax = 8
const bytesMax = 4096

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
/** `Negotiate` has a value without a name. */
const token68 = /[0-9A-Za-z._~+/-]+=*(?=[ \t]*(?:,|$))/y
const space = /[ \t]*/y
const commas = /[ \t,]*/y
const equals = /[ \t]*=[ \t]*/y
const quotedString = /"((?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*)"/y

/** Every challenge of all the headers, in order. @throws REGISTRY_PROTOCOL for what is none, too much, or ambiguous */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  if (headers.reduce((sum, header) => sum + header.length, 0) > bytesMax) refuse(`more than ${bytesMax} bytes`)
  const all = headers.flatMap(parseHeader)
  if (all.length > challengesMax) refuse(`more than ${challengesMax} challenges`)
  return all
}

/** The first that we know how to meet. */
export function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  return challenges.find(({ scheme }) => scheme === 'bearer' || scheme === 'basic')
}

function parseHeader(text: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  for (take(commas); at < text.length; take(commas)) {
    const name = take(token)?.[0].toLowerCase() ?? refuse('not a challenge')
    const parameters = found.at(-1)?.parameters
    if (take(equals) !== null && parameters !== undefined) {
      const value =
        take(quotedString)?.[1]?.replace(/\\(.)/g, '$1') ?? take(token)?.[0] ?? refuse('a parameter without a value')
      if (parameters.has(name)) refuse('a parameter is there twice')
      parameters.set(name, value)
    } else {
      found.push({ scheme: name, parameters: new Map() })
      take(space)
      take(token68)
    }
  }
  return found
}

function refuse(reason: string): never {
  throw new PhylloError('REGISTRY_PROTOCOL', `WWW-Authenticate: ${reason}`)
}
