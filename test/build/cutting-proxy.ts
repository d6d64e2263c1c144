/** Connections that break off, at a byte of the test's choice. */
import { type AddressInfo, connect, createServer } from 'node:net'
import type { Ending } from './fake-registry.js'

/** A way to the server that is cut once, when so many bytes have gone along it, whichever direction. */
export async function cutting(t: Ending, host: string, cutAt: number) {
  let [bytes, cuts] = [0, 0]
  const [address = '', port] = host.split(':')
  const server = createServer(near => {
    const far = connect(Number(port), address)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => to.destroy()).on('close', () => to.destroy())
      from.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes < cutAt || cuts > 0) return void to.write(part)
        cuts++
        near.destroy()
        far.destroy()
      })
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => void server.close())
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts }
}
