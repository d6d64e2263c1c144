/** Tokens of a token server, for docker-registry. */
import { sign, X509Certificate } from 'node:crypto'
import { certificate, certificateKey } from './certificate.js'

/** A token as docker-registry wants it: signed by the key whose certificate it was given. */
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
  return `${head}.${claims}.${signature.toString('base64url')}`
}
