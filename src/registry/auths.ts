/** The `auths` of config.json: key → `{ auth, identitytoken?, registrytoken? }`, as Docker writes and finds them. */
import { PhylloError } from '../errors.js'
import type { Credential } from './credential.js'
import { canonicalHost } from './host.js'

export type Auths = { readonly [key: string]: unknown }

/**
 * The entry of a key: that very key, else one of the same host, however it is written (`https://host/v1/`, `HOST`). As in
 * Docker the path of a key says nothing.
 */
export function findAuth(auths: Auths, key: string): unknown {
  if (Object.hasOwn(auths, key)) return auths[key]
  const host = hostOf(key)
  if (host === undefined) return undefined
  return Object.entries(auths).find(([other]) => hostOf(other) === host)?.[1]
}

/** `host` of `https://host/v1/`. */
function hostOf(key: string): string | undefined {
  return canonicalHost(key.replace(/^https?:\/\//, '').split('/')[0] ?? '')
}

/** Undefined: an entry without a secret. @throws REGISTRY_CREDENTIALS for one that cannot be read */
export function authOf(entry: unknown, path: string): Credential | undefined {
  const fields = Object(entry) as Auths
  const text = (name: string): string => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined
    return typeof value === 'string' ? value : ''
  }
  const auth = text('auth')
  const [username, password] = auth === '' ? [text('username'), text('password')] : decoded(auth, path)
  if (text('registrytoken') !== '') return { kind: 'registry', token: text('registrytoken') }
  if (text('identitytoken') !== '') return { kind: 'identity', username, token: text('identitytoken') }
  // Docker sends nothing of half a pair either.
  return username === '' || password === '' ? undefined : { kind: 'password', username, password }
}

/** As Docker writes it: with an identity token, the password is empty. */
export function entryOf(credential: Credential): Readonly<Record<string, string>> {
  if (credential.kind === 'registry') return { registrytoken: credential.token }
  if (credential.kind === 'password') return { auth: encoded(credential.username, credential.password) }
  return { auth: encoded(credential.username, ''), identitytoken: credential.token }
}

function encoded(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`).toString('base64')
}

function decoded(auth: string, path: string): readonly [username: string, password: string] {
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const at = text.indexOf(':')
  if (at === -1) throw new PhylloError('REGISTRY_CREDENTIALS', `${path}: an auth that is not user:password`, { path })
  return [text.slice(0, at), text.slice(at + 1).replace(/\0+$/, '')]
}
