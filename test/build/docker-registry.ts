/** Debian's docker-registry 2.8 as a server of a test: on loopback, with a configuration of its own, gone with the test. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificate, certificateKey } from './certificate.js'
import type { Ending } from './fake-registry.js'

export interface DockerRegistryOptions {
  /** `auth`, `proxy`, `middleware`, …: what the configuration has besides. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly http?: Readonly<Record<string, unknown>>
  readonly tls?: boolean
  /** The whole configuration instead, in which FOLDER and HOST stand for those. */
  readonly text?: string
  /** Blobs as files, in `folder`. */
  readonly files?: boolean
  /** Where its folder is made. Default: the system's temporary directory. */
  readonly within?: string
  /** `127.0.0.1:PORT`, which nobody uses. Default: a port that is free. */
  readonly at?: string
}

/** `alice:secret`, as htpasswd writes it. */
export const htpasswd = 'alice:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n'

export async function dockerRegistry(
  t: Ending,
  { config = {}, http = {}, tls = false, files = false, text, within = tmpdir(), at }: DockerRegistryOptions = {},
): Promise<{ readonly host: string; readonly folder: string }> {
  const folder = await mkdtemp(join(within, 'phyllo-registry-'))
  const host = at ?? (await freeAddress())
  for (const [name, text] of Object.entries({ htpasswd, 'cert.pem': certificate, 'key.pem': certificateKey }))
    await writeFile(join(folder, name), text)
  const pair = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  const whole = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { ...(files ? { filesystem: { rootdirectory: folder } } : { inmemory: {} }), delete: { enabled: true } },
    http: { addr: host, secret: 'x', ...(tls && { tls: pair }), ...http },
    ...JSON.parse(JSON.stringify(config).replaceAll('FOLDER', folder)),
  }
  // JSON is YAML.
  const written = text?.replaceAll('FOLDER', folder).replaceAll('HOST', host) ?? JSON.stringify(whole)
  await writeFile(join(folder, 'config.yml'), written)
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // It reads configuration there, too, and the library for S3 does.
    env: { PATH: process.env.PATH },
  })
  let said = ''
  child.stderr.on('data', part => (said += part))
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()))
  t.after(async () => {
    child.kill()
    await ended
    await rm(folder, { recursive: true })
  })
  for (const end = Date.now() + 20_000; !(await listens(host)); ) {
    if (Date.now() > end || child.exitCode !== null)
      throw new Error(`docker-registry does not listen on ${host}: ${said}`)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  return { host, folder }
}

/** `127.0.0.1:PORT`, of a port that is free now. */
export async function freeAddress(): Promise<string> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return `127.0.0.1:${port}`
}

function listens(host: string): Promise<boolean> {
  const [address = '', port] = host.split(':')
  return new Promise(resolve => {
    const socket = connect(Number(port), address)
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
