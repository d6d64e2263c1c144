/**
 * Docker's credential helpers: `docker-credential-<suffix> get|store|erase`, told on standard input, heard on standard
 * output. A program of the user's, and still only so much of it: its name cannot be a path, its words and its time are
 * bounded, no shell is between.
 */
import { spawn } from 'node:child_process'
import { PhylloError } from '../errors.js'
import type { Credential } from './credential.js'
import { said } from './shown.js'
import { orAborted } from './waiting.js'

const nameGrammar = /^[a-z0-9_-]{1,64}$/
const outputBytesMax = 64 * 1024
/** A helper may ask its user for a password. */
const helperMs = 60_000
/** The user name that says: the secret is an identity token. */
const tokenUser = '<token>'

export class CredentialHelper {
  readonly #suffix: string
  readonly #timeoutMs: number

  /** @throws REGISTRY_CREDENTIALS for a name that could be a path */
  constructor(suffix: string, timeoutMs = helperMs) {
    if (!nameGrammar.test(suffix)) throw failed(suffix, 'not the name of a credential helper')
    this.#suffix = suffix
    this.#timeoutMs = timeoutMs
  }

  async get(key: string, signal?: AbortSignal): Promise<Credential | undefined> {
    const { status, output } = await this.#run('get', key, signal)
    if (status !== 0 && /credentials not found in native keychain/.test(output)) return undefined
    if (status !== 0) throw failed(this.#suffix, `get: ${said(output) || `status ${status}`}`)
    let parsed: unknown
    try {
      parsed = JSON.parse(output)
    } catch {
      // What it said may hold the secret.
      throw failed(this.#suffix, 'get: its answer is not JSON')
    }
    const { Username: username, Secret: secret } = Object(parsed) as { Username?: unknown; Secret?: unknown }
    if (typeof username !== 'string' || typeof secret !== 'string')
      throw failed(this.#suffix, 'get: its answer has no Username and Secret')
    if (username === tokenUser) return { kind: 'identity', username: '', token: secret }
    // Docker sends nothing of half a pair either.
    return username === '' || secret === '' ? undefined : { kind: 'password', username, password: secret }
  }

  async store(key: string, credential: Exclude<Credential, { kind: 'registry' }>, signal?: AbortSignal): Promise<void> {
    const [Username, Secret] =
      credential.kind === 'identity' ? [tokenUser, credential.token] : [credential.username, credential.password]
    const { status, output } = await this.#run('store', JSON.stringify({ ServerURL: key, Username, Secret }), signal)
    if (status !== 0) throw failed(this.#suffix, `store: ${said(output) || `status ${status}`}`)
  }

  /** False: it had none. */
  async erase(key: string, signal?: AbortSignal): Promise<boolean> {
    const { status, output } = await this.#run('erase', key, signal)
    if (status === 0) return true
    if (/credentials not found in native keychain/.test(output)) return false
    throw failed(this.#suffix, `erase: ${said(output) || `status ${status}`}`)
  }

  #run(verb: string, input: string, signal: AbortSignal | undefined) {
    signal?.throwIfAborted()
    const program = `docker-credential-${this.#suffix}`
    const child = spawn(program, [verb], { stdio: ['pipe', 'pipe', 'ignore'], windowsHide: true })
    const ended = new Promise<{ readonly status: number | null; readonly output: string }>((resolve, reject) => {
      const parts: Buffer[] = []
      let length = 0
      const stop = (reason: string) => {
        child.kill('SIGKILL')
        // Whoever holds its output open, a child of its own, is not waited for.
        child.stdout.destroy()
        reject(failed(this.#suffix, `${verb}: ${reason}`))
      }
      const timer = setTimeout(stop, this.#timeoutMs, `no answer after ${this.#timeoutMs / 1000} s`)
      const leave = () => stop('given up')
      signal?.addEventListener('abort', leave, { once: true })
      child.stdout.on('data', (part: Buffer) => {
        parts.push(part)
        length += part.length
        if (length > outputBytesMax) stop(`an answer of more than ${outputBytesMax} bytes`)
      })
      child.on('error', cause => reject(failed(this.#suffix, `${verb}: ${said(cause.message)}`, cause)))
      child.on('close', status => resolve({ status, output: Buffer.concat(parts).toString('utf8') }))
      child.on('close', () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', leave)
      })
      // A helper that does not read what it is told is judged by what it says.
      child.stdin.on('error', () => undefined).end(input)
    })
    return orAborted(ended, signal)
  }
}

function failed(suffix: string, reason: string, cause?: unknown): PhylloError {
  const path = `docker-credential-${said(suffix.slice(0, 64))}`
  return new PhylloError('REGISTRY_CREDENTIALS', `${path}: ${reason}`, { path, ...(cause !== undefined && { cause }) })
}
