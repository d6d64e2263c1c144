/** The tree of random archives compared with a naive model of the rules; what is refused is refused in our words (P-63). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PhylloError } from '../../src/errors.js'
import { layerOf, treeOf } from '../build/layerfile.js'
import { char, dir, file, hardlink, symlink, tar } from '../build/tar.js'
import { Refused, type Step, TreeModel } from './tree-model.js'

const name = fc.constantFrom('a', 'b', 'c')
const path = fc.array(name, { minLength: 1, maxLength: 3 })
const links = ['a', 'b', 'c', '..', '.', '/', '/a', '../b', 'a/b', 'b/../c', '/c/./a', '../../../a/b', 'c/..', 'a//b/']
/** Other ways of saying the same name. */
const spellings = ['', '', './', '/', 'b/../', './/']
const step: fc.Arbitrary<Step & { readonly spelling: string }> = fc.record({
  spelling: fc.constantFrom(...spellings),
  type: fc.constantFrom<Step['type'][]>(
    ...(['file', 'file', 'directory', 'symlink', 'hardlink', 'whiteout', 'opaque', 'null-device'] as const),
  ),
  path,
  target: fc.constantFrom(...links),
  content: fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('x', 'y', 'z') }),
})

function bytesOf({ type, path: parts, target, content, spelling }: Step & { readonly spelling: string }): Buffer {
  const joined = spelling + parts.join('/')
  if (type === 'file') return file(joined, content)
  if (type === 'directory') return dir(`${joined}/`)
  if (type === 'symlink') return symlink(joined, target)
  if (type === 'hardlink') return hardlink(joined, target)
  if (type === 'opaque') return file(`${joined}/.wh..wh..opq`)
  if (type === 'null-device') return char(joined, 0, 0)
  return file(spelling + [...parts.slice(0, -1), `.wh.${parts.at(-1)}`].join('/'))
}

function modelOf(steps: readonly Step[]): string[] | 'refused' {
  const model = new TreeModel()
  try {
    for (const each of steps) model.apply(each)
    return model.lines()
  } catch (error) {
    if (error instanceof Refused) return 'refused'
    throw error
  }
}

test('random entries make the tree that the model makes', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async steps => {
      const expected = modelOf(steps)
      const layer = await layerOf(t, tar(steps.map(bytesOf))).catch((error: unknown) => {
        if (error instanceof PhylloError) return 'refused' as const
        throw error
      })
      assert.deepEqual(layer === 'refused' ? layer : treeOf(layer), expected)
    }),
    { numRuns: Number(process.env.PHYLLO_RUNS ?? 150) },
  )
})

test('where whiteouts and opaque marks stand among the entries does not matter', async t => {
  const marks: readonly Step['type'][] = ['whiteout', 'opaque']
  const plain = step.filter(({ type }) => ['file', 'directory', ...marks].includes(type))
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(plain, { maxLength: 8, selector: each => bytesOf(each).toString('latin1', 0, 100) }),
      fc.func(fc.nat()),
      async (steps, key) => {
        const entries = steps.filter(({ type }) => !marks.includes(type))
        // A path that comes twice takes what is below it along, marks included, so for those the order does matter.
        if (new Set(entries.map(each => each.path.join('/'))).size < entries.length) return
        const isMark = (each: Step) => marks.includes(each.type)
        if (modelOf(steps) === 'refused') return
        // The entries keep their order; the marks go anywhere among them.
        const places = new Map(steps.filter(isMark).map(mark => [mark, key(mark) % (entries.length + 1)]))
        const moved = [...entries, undefined].flatMap((entry, i) => [
          ...[...places].filter(([, place]) => place === i).map(([mark]) => mark),
          ...(entry === undefined ? [] : [entry]),
        ])
        if (modelOf(moved) === 'refused') return
        const [one, other] = [await layerOf(t, tar(steps.map(bytesOf))), await layerOf(t, tar(moved.map(bytesOf)))]
        assert.deepEqual(treeOf(other), treeOf(one))
      },
    ),
    { numRuns: Number(process.env.PHYLLO_RUNS ?? 50) },
  )
})
