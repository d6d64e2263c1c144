/** bzip2, through the machine's program: docker load reads such archives, and they are too rare for a package. */
import { throughProgram } from './program.js'

export function decompressBzip2(source: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<Buffer> {
  const advice = 'Install bzip2, or decompress the file first.'
  return throughProgram(source, { name: 'bzip2', args: ['-dc'], advice }, label)
}
