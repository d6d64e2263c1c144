/**
 * Credentials where Docker's command line keeps them: `config.json` of the folder `$DOCKER_CONFIG` or `~/.docker`, the
 * helpers that it names, and `$DOCKER_AUTH_CONFIG` before both. What is in the file and not ours to know stays in it.
 */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isErrno, PhylloError } from '../errors.js'
import { type Auths, authOf, entryOf, findAuth } from './auths.js'
import type { Credential, CredentialStore } from './credential.js'
import { CredentialHelper } from './credential-helper.js'
import { replaceConfig } from './replace-config.js'

const fileBytesMax = 1024 * 1024

export interface DockerConfigOptions {
  /** Folder of config.json. */
  readonly folder?: string
  /** Where `DOCKER_CONFIG` and `DOCKER_AUTH_CONFIG` are looked up. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Milliseconds that a helper may take. */
  readonly helperTimeoutMs?: number
}

type Config = { readonly [key: string]: unknown }

export class DockerConfig implements CredentialStore {
  readonly path: string
  readonly #given: string | undefined
  readonly #helperTimeoutMs: number | undefined

  constructor({ folder, environment = process.env, helperTimeoutMs }: DockerConfigOptions = {}) {
    this.path = join(folder ?? (environment.DOCKER_CONFIG || join(homedir(), '.docker')), 'config.json')
    this.#given = environment.DOCKER_AUTH_CONFIG || undefined
    this.#helperTimeoutMs = helperTimeoutMs
  }

  async get(key: string, signal?: AbortSignal): Promise<Credential | undefined> {
    const given = findAuth(this.#givenAuths(), key)
    if (given !== undefined) return authOf(given, 'DOCKER_AUTH_CONFIG')
    const config = await this.#read()
    const helper = this.#helperFor(config, key)
    if (helper !== undefined) return helper.get(key, signal)
    const entry = findAuth(authsIn(config, this.path), key)
    return entry === undefined ? undefined : authOf(entry, this.path)
  }

  async set(key: string, credential: Credential, signal?: AbortSignal): Promise<string | undefined> {
    const config = await this.#read()
    const helper = this.#helperFor(config, key)
    if (helper !== undefined && credential.kind !== 'registry') await helper.store(key, credential, signal)
    // Docker notes in the file what a helper keeps, too: by an entry without a secret.
    const entry = helper === undefined || credential.kind === 'registry' ? entryOf(credential) : {}
    await replaceConfig(this.path, { ...config, auths: { ...authsIn(config, this.path), [key]: entry } })
    return Object.keys(entry).length > 0 ? this.path : undefined
  }

  async erase(key: string, signal?: AbortSignal): Promise<boolean> {
    const config = await this.#read()
    const erased = (await this.#helperFor(config, key)?.erase(key, signal)) ?? false
    const { [key]: entry, ...auths } = authsIn(config, this.path)
    if (entry !== undefined) await replaceConfig(this.path, { ...config, auths })
    return erased || entry !== undefined
  }

  /** What keeps that key's credentials instead of the file: its own helper, or the one for all. */
  #helperFor(config: Config, key: string): CredentialHelper | undefined {
    const helpers = Object.hasOwn(config, 'credHelpers') ? Object(config.credHelpers) : {}
    const own = Object.hasOwn(helpers, key) ? (helpers as Config)[key] : undefined
    const suffix = own || config.credsStore || undefined
    if (suffix === undefined) return undefined
    if (typeof suffix !== 'string') throw unreadable(this.path, 'a credential helper whose name is no text')
    return new CredentialHelper(suffix, this.#helperTimeoutMs)
  }

  #givenAuths(): Auths {
    if (this.#given === undefined) return {}
    return authsIn(parse(this.#given, 'DOCKER_AUTH_CONFIG'), 'DOCKER_AUTH_CONFIG')
  }

  async #read(): Promise<Config> {
    let bytes: Buffer
    try {
      bytes = await readFile(this.path)
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return {}
      throw unreadable(this.path, (error as Error).message, error)
    }
    if (bytes.length > fileBytesMax) throw unreadable(this.path, `more than ${fileBytesMax} bytes`)
    return bytes.length === 0 ? {} : parse(bytes.toString('utf8'), this.path)
  }
}

/** No word of the text is in the error: it is full of secrets. */
function parse(text: string, path: string): Config {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw unreadable(path, 'not JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Config
  throw unreadable(path, 'not an object')
}

function authsIn(config: Config, path: string): Auths {
  const auths = Object.hasOwn(config, 'auths') ? (config.auths ?? {}) : {}
  if (typeof auths !== 'object' || Array.isArray(auths)) throw unreadable(path, 'auths is not an object')
  return auths as Auths
}

function unreadable(path: string, reason: string, cause?: unknown): PhylloError {
  const facts = { operation: 'read', path, ...(cause !== undefined && { cause }) }
  return new PhylloError('REGISTRY_CREDENTIALS', `${path}: ${reason}`, facts)
}
