/** What a figure means nothing without: the machine, the kernel, Node, and what native code there is. */
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os'
import { loadLz4 } from '../src/native/lz4.js'
import type { PeerState } from './peers.js'
import type { Place, Places } from './places.js'

export async function machineText(places: Places, peers: readonly PeerState[]): Promise<string> {
  const all = cpus()
  const model = all[0]?.model.trim() ?? 'unknown'
  const lines = [
    `machine      ${all.length} × ${model}, ${(totalmem() / 2 ** 30).toFixed(1)} GiB; ${type()} ${release()} ${arch()}`,
    `load         ${loadavg()
      .map(value => value.toFixed(2))
      .join(' ')} (1, 5, 15 minutes): above 0.5, wait or distrust`,
    `node         ${process.version}, OpenSSL ${process.versions.openssl}, zlib ${process.versions.zlib}`,
    `LZ4          ${(await loadLz4()).name}`,
    `memory       ${placeText(places.quick)}`,
    `disk         ${placeText(places.disk)}`,
    ...peers.map(({ name, version, missing }) => `${`${name} `.padEnd(13)}${version ?? missing}`),
  ]
  return lines.join('\n')
}

function placeText({ fileSystem, options }: Place): string {
  return `${fileSystem}, phyllo with durability ${options.includes('none') ? 'none' : 'full'}`
}
