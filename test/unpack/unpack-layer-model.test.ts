/**
 * Random entries unpacked, compared with the naive model of a layer's tree: what is unpacked is the tree that the other driver shows;
 * and wherever the chunks are cut, the same calls make it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PhylloError } from '../../src/errors.js'
import { char, dir, file, hardlink, symlink, tar } from '../build/tar.js'
import { unpackToMemory } from '../build/unpacked.js'
import { Refused, type Step, TreeModel } from '../layerfile/tree-model.js'

const links = ['a', 'b', 'c', '..', '.', '/', '/a', '../b', 'a/b', 'b/../c', '/c/./a', '../../../a/b', 'c/..', 'a//b/']
const step: fc.Arbitrary<Step> = fc.record({
  type: fc.constantFrom<Step['type'][]>(
    ...(['file', 'file', 'directory', 'symlink', 'hardlink', 'whiteout', 'opaque', 'null-device'] as const),
  ),
  path: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }),
  target: fc.constantFrom(...links),
  content: fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('x', 'y', 'z') }),
})

function bytesOf({ type, path: parts, target, content }: Step): Buffer {
  const joined = parts.join('/')
  if (type === 'file') return file(joined, content)
  if (type === 'directory') return dir(`${joined}/`)
  if (type === 'symlink') return symlink(joined, target)
  if (type === 'hardlink') return hardlink(joined, target)
  if (type === 'opaque') return file(`${joined}/.wh..wh..opq`)
  if (type === 'null-device') return char(joined, 0, 0)
  return file([...parts.slice(0, -1), `.wh.${parts.at(-1)}`].join('/'))
}

/** The lines of the model without what a disk cannot tell. */
function modelOf(steps: readonly Step[]): string[] | 'refused' {
  const model = new TreeModel()
  try {
    for (const each of steps) model.apply(each)
    return model.lines().map(line => line.replace(/ implied$/, ''))
  } catch (error) {
    if (error instanceof Refused) return 'refused'
    throw error
  }
}

async function unpacked(archive: Uint8Array, chunks?: readonly number[]) {
  try {
    return await unpackToMemory(archive, { ...(chunks && { chunks }) })
  } catch (error) {
    if (error instanceof PhylloError) return error
    throw error
  }
}

test('random entries are unpacked as the tree that the model makes, or refused for coming twice', async () => {
  const seen = { unpacked: 0, twice: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async steps => {
      const expected = modelOf(steps)
      const made = await unpacked(tar(steps.map(bytesOf)))
      if (made instanceof PhylloError) {
        const twice = /comes more than once/.test(made.message)
        seen[twice ? 'twice' : 'refused']++
        if (!twice) assert.equal(expected, 'refused', made.message)
      } else {
        seen.unpacked++
        assert.deepEqual(made.files.lines(), expected)
        for (const { name, payloadBytes, content } of made.split.entries)
          if (payloadBytes > 0) assert.equal(made.files.follow(name)?.content, content, name)
        const cleaned = made.split.entries.map(({ name }) => name.replace(/\/$/, ''))
        assert.equal(new Set(cleaned).size, cleaned.length)
      }
    }),
    { numRuns: Number(process.env.PHYLLO_RUNS ?? 600) },
  )
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 20, `${what}: ${count}`)
})

test('D32 wherever the chunks are cut, the same files and the same tar-split', async () => {
  const archive = tar([
    file('a', 'x'.repeat(700), { mtime: 1.5 }),
    dir('d/', { mode: 0o700 }),
    file('d/.wh.w', 'body'),
    symlink('l', '/d'),
    file('l/raw', 'y'.repeat(513)),
    hardlink('h', 'a'),
    file('n'.repeat(150), 'z'),
  ])
  const whole = await unpackToMemory(archive)
  const cuts = [...Array.from({ length: 60 }, (_, i) => [1 + i * 7]), [512], [511, 2], [1], [1024, 3]]
  for (const chunks of cuts) {
    const { files, split, diffId } = await unpackToMemory(archive, { chunks })
    assert.deepEqual(files.lines(), whole.files.lines())
    assert.deepEqual(split, whole.split)
    assert.equal(diffId, whole.diffId)
  }
})
