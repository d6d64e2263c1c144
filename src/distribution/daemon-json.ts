/** What a dockerd's daemon.json says of registries: its mirrors of Docker Hub, which ones are insecure, and through which proxies. All else of it is dockerd's. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { PhylloError, toldLater } from '../errors.js'
import type { Limits } from '../limits.js'
import { isObject, type JsonObject, parseJson } from '../oci/json.js'
import { InsecureRegistries } from '../registry/insecure.js'
import type { ProxyOptions } from '../registry/proxies.js'
import { Mirrors } from './mirrors.js'

export interface DaemonJson {
  readonly registryMirrors: readonly string[]
  readonly insecureRegistries: readonly string[]
  /** Those that it names. */
  readonly proxies: ProxyOptions
}

/** @throws INPUT_IO, LIMIT_EXCEEDED (jsonBytes), CONFIG_INVALID, each with the path */
export async function readDaemonJson(path: string, limits: Limits): Promise<DaemonJson> {
  const bytes = await toldLater('INPUT_IO', { path }, () => bytesOf(path, limits))
  const document = parsed(bytes, path, limits)
  const daemon = {
    registryMirrors: textsOf(document, 'registry-mirrors', path),
    // Docker takes them with a scheme, too, and forgets that.
    insecureRegistries: textsOf(document, 'insecure-registries', path).map(entry => entry.replace(/^https?:\/\//, '')),
    proxies: proxiesOf(document, path),
  }
  try {
    new Mirrors(daemon)
    new InsecureRegistries(daemon.insecureRegistries, () => undefined)
  } catch (error) {
    throw wrong(path, (error as Error).message.replace(/^registryMirrors: /, 'registry-mirrors: '), error)
  }
  return daemon
}

/** A pipe or a device, which might never end, is none. */
async function bytesOf(path: string, limits: Limits): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    if (!(await file.stat()).isFile()) throw wrong(path, 'not a file')
    // One more than there may be is refused.
    const bytes = Buffer.alloc(Math.min((await file.stat()).size, limits.jsonBytes) + 1)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function parsed(bytes: Buffer, path: string, limits: Limits): JsonObject {
  let value: unknown
  try {
    value = parseJson(bytes, { limits, what: path, code: 'CONFIG_INVALID' })
  } catch (error) {
    if (!(error instanceof PhylloError)) throw error
    if (error.code === 'LIMIT_EXCEEDED') throw Object.assign(error, { path })
    throw wrong(path, error.message.replace(`${path}: `, ''), error)
  }
  if (isObject(value)) return value
  throw wrong(path, 'not an object')
}

function textsOf(document: JsonObject, key: string, path: string): string[] {
  const list = Object.hasOwn(document, key) ? (document[key] ?? []) : []
  if (!Array.isArray(list) || list.some(entry => typeof entry !== 'string'))
    throw wrong(path, `${key} is not a list of texts`)
  return list as string[]
}

/** What is empty is not there, as for dockerd. */
function proxiesOf(document: JsonObject, path: string): ProxyOptions {
  const { proxies = null } = Object.assign(Object.create(null), document) as { proxies?: JsonObject | null }
  if (proxies === null) return {}
  if (!isObject(proxies)) throw wrong(path, 'proxies is not an object')
  const of = (key: string) => {
    const value = Object.hasOwn(proxies, key) ? (proxies[key] ?? '') : ''
    if (typeof value !== 'string') throw wrong(path, `proxies: ${key} is not a text`)
    return value
  }
  const [http, https, noProxy] = [of('http-proxy'), of('https-proxy'), of('no-proxy')]
  return { ...(http && { http }), ...(https && { https }), ...(noProxy && { noProxy }) }
}

function wrong(path: string, reason: string, cause?: unknown): PhylloError {
  return new PhylloError('CONFIG_INVALID', `${path}: ${reason}`, { path, ...(cause !== undefined && { cause }) })
}
