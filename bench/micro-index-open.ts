/** How fast is a layer file opened? Against reading as many bytes. */
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Store } from '../src/index.js'
import { BlockCache } from '../src/layerfile/block-cache.js'
import { loadChecksums } from '../src/layerfile/checksum.js'
import { decodeFooter, footerBytes } from '../src/layerfile/format.js'
import { openLayerFile } from '../src/layerfile/reader.js'
import { runMicro } from './micro.js'
import type { Question } from './questions.js'

interface Part {
  readonly path: string
  readonly offset: number
  readonly bytes: number
}

export const question: Question = {
  title: 'open all layers of app:v1',
  inputs: ['app'],
  async ask({ input, places, say }) {
    const root = await places.quick.fresh()
    await using store = await Store.open(root, { durability: 'none' })
    await store.load(input('app'))
    const parts = await indexes(join(root, 'packed'))
    let inodes = 0
    // One for all files, as a store has it: codecs and checksums are loaded once.
    const cache = new BlockCache()
    const openAll = async () => {
      inodes = 0
      for (const { path } of parts) {
        const layer = await openLayerFile(path, { cache })
        inodes += layer.index.inodeCount
        await layer.close()
      }
    }
    const cases = [
      { name: 'openLayerFile', count: 1, asynchronous: true, run: openAll },
      { name: 'the same bytes read', count: 1, asynchronous: true, run: () => readAll(parts) },
      {
        name: 'store.view, and closed',
        count: 1,
        asynchronous: true,
        run: async () => (await store.view('app:v1')).close(),
      },
    ]
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
    const text = await runMicro(cases, 'all layers')
    say(`${parts.length} layers, ${inodes} inodes, indexes of ${(bytes / 1e6).toFixed(1)} MB:\n${text}`)
  },
}

async function indexes(folder: string): Promise<Part[]> {
  const { xxh64 } = await loadChecksums()
  const names = (await readdir(folder)).filter(name => name.endsWith('.tar.lz4'))
  return Promise.all(
    names.map(async name => {
      const path = join(folder, name)
      const { size } = await stat(path)
      const footer = decodeFooter(await readPart({ path, offset: size - footerBytes, bytes: footerBytes }), path, xxh64)
      return { path, offset: footer.indexOffset, bytes: size - footer.indexOffset }
    }),
  )
}

async function readAll(parts: readonly Part[]): Promise<void> {
  for (const part of parts) await readPart(part)
}

async function readPart({ path, offset, bytes }: Part): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.allocUnsafeSlow(bytes), 0, bytes, offset)
    return buffer
  } finally {
    await file.close()
  }
}
