/**
 * What a registry says when it does not do what was asked (distribution-spec, "Error Codes"), as one of our errors. The
 * status decides; the words are the server's, shortened and harmless.
 */
import { type ErrorCode, PhylloError } from '../errors.js'
import { readAtMost } from './body.js'
import type { Challenge } from './challenge.js'
import { type Answer, facts, named, throughProxy } from './exchange.js'
import { retryAfterMs } from './patience.js'
import { said } from './shown.js'

/** Bytes that are read of an error. */
const errorBytesMax = 64 * 1024
/** Errors of one answer that are told. */
const toldMax = 8

/** What a server, or a proxy before it that did not wait (499), may answer otherwise a moment later, besides the statuses from 500 on. */
const passing = [408, 499]
/** What it does not know, it does not know a moment later either. */
const lasting = [501, 505]

interface Told {
  /** `MANIFEST_UNKNOWN`; empty where the server says none. */
  readonly code: string
  readonly message: string
}

/** The error that an answer is; its body is read and gone afterwards. `hint` ends the message. */
export async function failureOf(
  answer: Answer,
  { challenges = [], hint }: { readonly challenges?: readonly Challenge[]; readonly hint?: string | undefined } = {},
): Promise<PhylloError> {
  const told = await toldBy(answer)
  const error = challenges.find(({ parameters }) => parameters.get('error') !== undefined)?.parameters.get('error')
  const code = codeOf(answer.status, told, error)
  const words = told.map(({ code, message }) =>
    [code.toLowerCase().replaceAll('_', ' '), message].filter(Boolean).join(': '),
  )
  const reason = [said(words.join('; ')) || `status ${answer.status}`, ...(hint === undefined ? [] : [hint])].join('; ')
  const retry = retryAfterMs(answer.header('retry-after'))
  return new PhylloError(code, `${named(answer)}: ${reason}${throughProxy(answer)}`, {
    ...facts(answer),
    status: answer.status,
    ...(told[0]?.code && { registryCode: said(told[0].code) }),
    ...(retry !== undefined && { retryAfterMs: retry }),
  })
}

function codeOf(status: number, told: readonly Told[], challenged: string | undefined): ErrorCode {
  const says = (code: string) => told.some(one => one.code === code)
  if (status === 429 || says('TOOMANYREQUESTS')) return 'REGISTRY_LIMIT'
  if (status === 403 || (status === 401 && (challenged === 'insufficient_scope' || says('DENIED'))))
    return 'REGISTRY_DENIED'
  if (status === 401) return 'REGISTRY_AUTH'
  if (status === 404) return 'REGISTRY_NOT_FOUND'
  if (passing.includes(status) || (status >= 500 && !lasting.includes(status))) return 'REGISTRY_UNAVAILABLE'
  return status >= 400 ? 'REGISTRY_REFUSED' : 'REGISTRY_PROTOCOL'
}

async function toldBy(answer: Answer): Promise<readonly Told[]> {
  const text = await textOf(answer)
  const type = answer.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (text === '') return []
  if (type !== 'application/json' && type !== 'application/vnd.api+json')
    return [{ code: '', message: `status ${answer.status}: ${text}` }]
  const told = parse(text)
  return told.length > 0 ? told : [{ code: '', message: `status ${answer.status}: ${text}` }]
}

/** What came of it, if it breaks off: the status is the message, these are its words. */
async function textOf(answer: Answer): Promise<string> {
  if (answer.method === 'HEAD' || answer.status === 416) {
    // docker-registry 2.8 announces the whole blob with a 416 and sends 33 bytes.
    answer.discard()
    return ''
  }
  const { bytes } = await readAtMost(answer, errorBytesMax).catch(() => ({ bytes: Buffer.alloc(0) }))
  return bytes.toString('utf8').trim()
}

function parse(text: string): readonly Told[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return []
  }
  const { errors, details } = Object(value) as { errors?: unknown; details?: unknown }
  if (typeof details === 'string') return [{ code: '', message: details }]
  if (!Array.isArray(errors)) return []
  return errors.slice(0, toldMax).map(one => {
    const { code, message } = Object(one) as { code?: unknown; message?: unknown }
    return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '' }
  })
}
