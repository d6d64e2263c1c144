/** Debian's docker-registry on loopback, with its blobs in a folder of its own; and a way to it that counts requests. */
import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Place } from './places.js'

const startMs = 20_000

export interface BenchRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string
}

export async function registryIn(place: Place): Promise<BenchRegistry> {
  const folder = await place.fresh()
  const host = `127.0.0.1:${await freePort()}`
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: folder } },
    http: { addr: host, secret: 'x' },
  }
  // JSON is YAML.
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config))
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()).once('error', () => resolve()))
  const stop = async () => {
    child.kill()
    await ended
  }
  for (const end = Date.now() + startMs; !(await listens(host)); await sleep(25)) {
    if (Date.now() < end && child.exitCode === null) continue
    await stop()
    throw new Error(`docker-registry does not listen on ${host}`)
  }
  return { host, [Symbol.asyncDispose]: stop }
}

export interface CountingProxy extends BenchRegistry {
  /** Requests so far. */
  readonly count: () => number
}

export async function countingProxy({ host }: BenchRegistry): Promise<CountingProxy> {
  let count = 0
  const server = createHttpServer((asked, answer) => {
    count++
    const { method, url, headers } = asked
    const onward = request(`http://${host}${url}`, { method, headers }, response => {
      answer.writeHead(response.statusCode ?? 500, response.headers)
      response.pipe(answer)
    })
    onward.once('error', () => answer.destroy())
    asked.pipe(onward)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const stop = async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  const { port } = server.address() as AddressInfo
  return { host: `127.0.0.1:${port}`, count: () => count, [Symbol.asyncDispose]: stop }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

function listens(host: string): Promise<boolean> {
  const [address = '', port] = host.split(':')
  return new Promise(resolve => {
    const socket = connect(Number(port), address)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
