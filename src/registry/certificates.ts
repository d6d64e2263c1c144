/**
 * Which certificates count for a host: Node's authorities, the user's, and Docker's folder (`certs.d/<host[:port]>/`:
 * `*.crt` are authorities, `*.cert` and `*.key` of one name show who we are).
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as tls from 'node:tls'
import { isErrno, PhylloError } from '../errors.js'

export interface TlsPolicy {
  readonly rejectUnauthorized: boolean
  /** What is made once of many authorities: each connection would take some milliseconds for it. */
  readonly secureContext?: tls.SecureContext
}

/** Any certificate is taken. */
export const unverified: TlsPolicy = { rejectUnauthorized: false }

export class Certificates {
  readonly #extra: readonly string[]
  readonly #folder: string
  readonly #known = new Map<string, Promise<TlsPolicy>>()
  #common: TlsPolicy | undefined

  constructor(extra: readonly string[], folder: string) {
    this.#extra = extra
    this.#folder = folder
  }

  /** Of `host[:port]`; read once. @throws REGISTRY_CREDENTIALS for a folder that cannot be read, or half a pair */
  of(host: string): Promise<TlsPolicy> {
    let known = this.#known.get(host)
    if (known === undefined) this.#known.set(host, (known = this.#read(host)))
    return known
  }

  async #read(host: string): Promise<TlsPolicy> {
    const folder = join(this.#folder, host)
    const names = await namesIn(folder)
    const read = (name: string) => readPem(join(folder, name))
    const ca = [...this.#extra, ...(await Promise.all(names.filter(name => name.endsWith('.crt')).map(read)))]
    const pairs = new Set(names.filter(name => /\.(cert|key)$/.test(name)).map(name => name.replace(/\.[^.]*$/, '')))
    for (const pair of pairs)
      for (const name of [`${pair}.cert`, `${pair}.key`])
        if (!names.includes(name)) throw unreadable(folder, `${pair} has no ${name}`)
    const [pair] = pairs
    if (pair === undefined && ca.length === this.#extra.length) return (this.#common ??= policyOf(folder, ca))
    return policyOf(
      folder,
      ca,
      pair === undefined ? {} : { cert: await read(`${pair}.cert`), key: await read(`${pair}.key`) },
    )
  }
}

function policyOf(
  folder: string,
  ca: readonly string[],
  own: { readonly cert?: string; readonly key?: string } = {},
): TlsPolicy {
  if (ca.length === 0 && own.cert === undefined) return { rejectUnauthorized: true }
  const authorities = ca.length > 0 && { ca: [...systemAuthorities(), ...ca] }
  try {
    return { rejectUnauthorized: true, secureContext: tls.createSecureContext({ ...own, ...authorities }) }
  } catch (error) {
    throw unreadable(folder, (error as Error).message, error)
  }
}

/** To say `ca` at all replaces Node's own. NODE_EXTRA_CA_CERTS is among them where Node can tell (22.15). */
function systemAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => readonly string[] }
  return getCACertificates?.('default') ?? tls.rootCertificates
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw unreadable(folder, (error as Error).message, error)
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(path, (error as Error).message, error)
  }
}

function unreadable(path: string, reason: string, cause?: unknown): PhylloError {
  const facts = { operation: 'read', path, ...(cause !== undefined && { cause }) }
  return new PhylloError('REGISTRY_CREDENTIALS', `certificates ${path}: ${reason}`, facts)
}
