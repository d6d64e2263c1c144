/** What went wrong at a proxy, as one of our errors: which proxy, without its password, and what to do. */
import { PhylloError } from '../errors.js'
import { whereProxiesAre } from './proxies.js'
import { said } from './shown.js'
import type { ProxyFailure } from './tunnel.js'

/** Statuses of CONNECT that say that the proxy did not get there. It may a moment later. */
const passing: readonly unknown[] = [502, 503, 504]

/** `what` is the request, `facts` are those of it; `reason` is that of the cause, if there is one. */
export function proxyError(failure: ProxyFailure, what: string, facts: object, reason: string): PhylloError {
  const { proxy, status, cause } = failure
  const shown = `the proxy ${proxy.origin}`
  const all = {
    ...facts,
    ...{ proxy: proxy.origin },
    ...(status !== undefined && { proxyStatus: status }),
    ...(cause !== undefined && { cause }),
  }
  const error = (code: 'REGISTRY_PROXY' | 'REGISTRY_UNAVAILABLE', words: string) =>
    new PhylloError(code, `${what}: ${words}; ${whereProxiesAre}`, all)
  if (status === undefined)
    return error('REGISTRY_UNAVAILABLE', `${shown} was not reached or broke off: ${said(reason)}`)
  if (status === 407) return error('REGISTRY_PROXY', `${shown} ${wants(failure)}`)
  if (passing.includes(status)) return error('REGISTRY_UNAVAILABLE', `${shown} did not get there: status ${status}`)
  return error('REGISTRY_PROXY', `${shown} does not let it through: status ${status}`)
}

function wants({ proxy, challenges }: ProxyFailure): string {
  const basic = challenges.length === 0 || challenges.some(challenge => /(^|,)\s*basic\b/i.test(challenge))
  if (!basic) return `takes no user and password, but ${said(challenges.join(', '))} alone, which is not there (407)`
  return proxy.authorization === undefined
    ? 'wants a user and password (407): write them into its URL, as http://user:password@host:port'
    : 'does not take the user and password of its URL (407); what is not a letter or digit is written %XX there'
}

/** Whether it may be over a moment later. */
export function isPassingProxy({ code, proxyStatus }: PhylloError): boolean {
  return code === 'REGISTRY_UNAVAILABLE' && passing.includes(proxyStatus)
}

/** Whether a proxy refused a CONNECT for what it is for: it may well carry plain HTTP. */
export function refusesTunnel({ code, proxyStatus }: PhylloError): boolean {
  return code === 'REGISTRY_PROXY' && proxyStatus !== undefined && proxyStatus !== 407
}
