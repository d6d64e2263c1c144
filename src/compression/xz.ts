/** xz, through the machine's program, as docker load does it. */
import { throughProgram } from './program.js'

/** The strongest preset, -9, needs 65 MiB; the format goes up to 4 GiB. By environment, since busybox has no option. */
const environment = { XZ_DEFAULTS: '--memlimit-decompress=256MiB' }

export function decompressXz(source: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Buffer> {
  const advice = 'Install xz-utils, or decompress the file first.'
  return throughProgram(source, { name: 'xz', args: ['-dc'], environment, advice }, label)
}
