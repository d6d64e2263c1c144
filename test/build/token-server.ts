/** A token server whose tokens docker-registry verifies: alice, with the password secret, may do anything, all others may pull. */
import assert from 'node:assert/strict'
import { createPublicKey, sign, X509Certificate } from 'node:crypto'
import { certificate, certificateKey } from './certificate.js'
import { type Ending, FakeRegistry } from './fake-registry.js'

export interface TokenServer {
  readonly tokens: FakeRegistry
  /** Of the registry's configuration. */
  readonly auth: object
  /** Scopes, one for each that was asked for; and all of one request, joined by a space. */
  readonly asked: string[]
  readonly requests: string[]
}

export async function tokenServer(t: Ending): Promise<TokenServer> {
  const [asked, requests]: [string[], string[]] = [[], []]
  const tokens = await FakeRegistry.start(t)
  const service = 'reg.test'
  tokens.route([
    [
      / \/token/,
      ({ url, headers }) => {
        const { searchParams } = new URL(url, tokens.origin)
        const scopes = searchParams.getAll('scope')
        asked.push(...scopes)
        requests.push(scopes.join(' '))
        const known = headers.authorization === `Basic ${Buffer.from('alice:secret').toString('base64')}`
        const access = scopes.map(scope => {
          const [type, name, actions] = scope.split(':')
          return { type, name, actions: actions!.split(',').filter(action => known || action === 'pull') }
        })
        return {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ token: jwt({ service, access }), expires_in: 300 }),
        }
      },
    ],
  ])
  const realm = `${tokens.origin}/token`
  const auth = { token: { realm, service, issuer: 'test', rootcertbundle: 'FOLDER/cert.pem' } }
  return { tokens, auth, asked, requests }
}

export function jwt({ service, access }: { service: string; access: readonly object[] }): string {
  const now = Math.floor(Date.now() / 1000)
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const head = encode({ typ: 'JWT', alg: 'ES256', x5c: [new X509Certificate(certificate).raw.toString('base64')] })
  const claims = encode({
    iss: 'test',
    sub: 'alice',
    aud: service,
    exp: now + 300,
    nbf: now - 10,
    iat: now,
    jti: `${now}`,
    access,
  })
  const signature = sign('sha256', Buffer.from(`${head}.${claims}`), { key: certificateKey, dsaEncoding: 'ieee-p1363' })
  assert.equal(createPublicKey(certificate).asymmetricKeyType, 'ec')
  return `${head}.${claims}.${signature.toString('base64url')}`
}
