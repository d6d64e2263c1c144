/** Whole contents in memory of the caller's own, and the blocks that are kept for the next ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BlockCache } from '../../src/layerfile/block-cache.js'
import { openLayerFile } from '../../src/layerfile/reader.js'
import { KiB } from '../../src/limits.js'
import { scratch, writeLayer } from '../build/layerfile.js'
import { Random } from '../build/random-tar.js'
import * as build from '../build/tar.js'

const seed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)

/** Sizes around those where blocks are cut, half of the contents compressible. */
function contentsOf(random: Random): Buffer[] {
  const sizes = [0, 1, 100, 1500, 2900, 3100, 3584, 4096, 7000, 8192, 9000, 20_000, 130_000, 300_000]
  return Array.from({ length: 120 }, (_, at) => {
    const content = Buffer.alloc(sizes[random.int(sizes.length)]! + random.int(40), `${at} is here; `)
    if (at % 2 === 0) for (let byte = 0; byte < content.length; byte++) content[byte] = random.int(256)
    return content
  })
}

for (const compression of ['lz4', 'none'] as const)
  for (const cacheBytes of [0, 64 * KiB, 8192 * KiB])
    test(`whole contents are nobody else's: ${compression}, ${cacheBytes} bytes of cache`, async t => {
      const random = new Random(seed)
      const contents = contentsOf(random)
      const path = `${scratch(t)}/layer`
      await writeLayer(path, build.tar(contents.map((content, at) => build.file(`${at}`, content))), { compression })
      const file = await openLayerFile(path, { cache: new BlockCache(cacheBytes) })
      t.after(() => file.close())
      for (let round = 0; round < 600; round++) {
        const which = random.int(contents.length)
        const inode = file.index.lookup(0, `${which}` as never)
        if (random.int(4) === 0) file.readSync(inode, 0, Buffer.alloc(10))
        const content = file.contentSync(inode, 400_000)!
        assert.ok(content.equals(contents[which]!), `seed ${seed}: content ${which}, round ${round}`)
        content.fill(0xee)
        assert.equal(file.contentSync(inode, content.length - 1), undefined)
      }
    })

test('the cache forgets the block whose use is longest ago', () => {
  const use = fc.record({ file: fc.nat(2), block: fc.nat(6), bytes: fc.integer({ min: 1, max: 60 }), drop: fc.nat(20) })
  fc.assert(
    fc.property(fc.array(use, { maxLength: 80 }), uses => {
      const cache = new BlockCache(100)
      const files = [cache.openFile(), cache.openFile(), cache.openFile()]
      /** Least recently used first. */
      let model: { file: number; block: number; content: Buffer }[] = []
      for (const { file, block, bytes, drop } of uses) {
        const known = model.find(kept => kept.file === file && kept.block === block)
        assert.equal(files[file]!.get(block), known?.content)
        if (known !== undefined) model = [...model.filter(kept => kept !== known), known]
        if (drop === 0) {
          files[file]!.drop()
          model = model.filter(kept => kept.file !== file)
        } else if (known === undefined || drop === 1) {
          const content = Buffer.alloc(bytes)
          files[file]!.set(block, content)
          model = [...model.filter(kept => kept !== known), { file, block, content }]
          const sum = () => model.reduce((total, kept) => total + kept.content.length, 0)
          while (sum() > 100) model.shift()
        }
        assert.equal(
          cache.bytes,
          model.reduce((total, kept) => total + kept.content.length, 0),
        )
      }
    }),
  )
})
