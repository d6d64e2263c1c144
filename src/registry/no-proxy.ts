/**
 * Servers that are asked without a proxy, as Go's programs read NO_PROXY (golang.org/x/net/http/httpproxy): a comma between
 * entries, each `*`, an address, a subnet, or a name, which stands for what is below it, too (`.name` for that alone); all
 * but subnets may end with a port. What is none of that matches nothing.
 */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { isLoopback, subnets, within } from './address.js'
import { isLocalhost, literalAddress, nameOf } from './host.js'

type Rule = (name: string, port: string) => boolean

export class NoProxy {
  readonly #rules: readonly Rule[]

  constructor(text: string) {
    this.#rules = text.split(',').flatMap(entry => ruleOf(entry.trim().toLowerCase()) ?? [])
  }

  /** This machine is never asked through a proxy, where it would be another machine. */
  covers(url: URL): boolean {
    const name = nameOf(url).toLowerCase()
    const literal = literalAddress(url)
    if (literal === undefined ? isLocalhost(name) : isLoopback(literal)) return true
    const port = url.port || (url.protocol === 'https:' ? '443' : '80')
    return this.#rules.some(rule => rule(name, port))
  }
}

function ruleOf(entry: string): Rule | undefined {
  if (entry === '') return undefined
  if (entry === '*') return () => true
  if (/^[^/]+\/\d+$/.test(entry)) return inSubnet(entry)
  const [, bracketed, bare, port = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(entry) ?? []
  const host = bracketed ?? bare ?? entry
  if (host === '') return undefined
  if (isIP(host) !== 0) return withPort(port, inSubnet(host))
  const [, tail = ''] = /^\*?(\..*)$/.exec(host) ?? []
  const suffix = asciiOf(tail || `.${host}`)
  // Of addresses, too: Go looks at their digits as at labels.
  return withPort(port, name => (tail === '' ? `.${name}` : name).endsWith(suffix))
}

function inSubnet(text: string): Rule | undefined {
  try {
    const nets = subnets([text])
    return name => within(name, nets)
  } catch {
    return undefined
  }
}

function withPort(port: string, rule: Rule | undefined): Rule | undefined {
  return rule && ((name, asked) => (port === '' || port === asked) && rule(name, asked))
}

/** Of `.name`, in the letters that URLs have. Node would make an address of digits. */
function asciiOf(suffix: string): string {
  if (!/[^ -~]/.test(suffix)) return suffix
  const ascii = domainToASCII(suffix.slice(1))
  return ascii === '' ? suffix : `.${ascii}`
}
