/** The upper of real directories against one in memory, under random sequences, with reopening in between. Needs root. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Upper } from '../../../src/drivers/upper.js'
import { directoryUpper, possibleStep } from '../../build/directory-upper.js'
import { inDirectory } from '../../build/in-directory.js'
import { memoryUpper } from '../../build/memory-upper.js'
import { systemCalls } from '../../build/real-tree.js'
import { nextStep, randomOf, type Step, stateOf, take } from '../../build/upper-sequence.js'

const firstSeed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const calls = await systemCalls()

for (let round = 0; round < 12; round++) {
  const seed = firstSeed + round
  test(
    `the same as in memory, reopened again and again (seed ${seed})`,
    inDirectory(directory => sequence(seed, directory)),
  )
}

/** A line for every name, without what a directory does not keep: numbers, and two of the times. */
function shown(upper: Upper) {
  const { lines, contents } = stateOf(upper)
  const first = new Map<number, string>()
  return {
    contents,
    lines: lines.map(line => {
      const at = line.indexOf(' [[')
      if (at < 0) return line
      const [path, text] = [line.slice(0, at), line.slice(at + 1)]
      const fields = JSON.parse(text) as [string, unknown][]
      const xattrs = fields.pop()
      const { id, ctime: _, birthtime: __, lowers: ___, ...rest } = Object.fromEntries(fields)
      const before = first.get(id as number)
      if (before === undefined) first.set(id as number, path)
      // Whoever reads a symlink changes its time of access, and cannot do without
      const atime = rest.target === '' ? rest.atime : undefined
      return { path, ...rest, atime, xattrs, same: before }
    }),
  }
}

async function sequence(seed: number, directory: string): Promise<void> {
  const random = randomOf(seed)
  const model = memoryUpper()
  let upper = await directoryUpper(join(directory, 'upper'), { calls })
  /** Numbers of nodes differ after reopening: by those of the model. */
  const ids = new Map<number, number>()
  const match = () => {
    const walk = (one: number, other: number) => {
      ids.set(one, other)
      model.list(one, (name, id) => id >= 0 && walk(id, upper.lookup(other, name)))
    }
    walk(0, 0)
  }
  const translated = (step: Step): Step => {
    const id = (at: number) => ids.get(at) ?? at
    const from = 'from' in step ? { from: [id(step.from[0]), step.from[1]] as const } : {}
    return {
      ...step,
      ...('id' in step && { id: id(step.id) }),
      ...('directory' in step && { directory: id(step.directory) }),
      ...from,
    } as Step
  }
  const held: [number[], number[]] = [[], []]
  const compare = (at: number) => {
    const [found, wanted] = [shown(upper), shown(model)]
    assert.deepEqual(found.lines, wanted.lines, `step ${at}`)
    for (const [path, bytes] of wanted.contents)
      assert.ok(bytes.equals(found.contents.get(path)!), `step ${at}: ${path}`)
    assert.deepEqual(
      [upper.usedBytes, upper.usedEntries, upper.inodeCount],
      [model.usedBytes, model.usedEntries, model.inodeCount],
    )
  }
  for (let at = 0; at < 200; at++) {
    const step = possibleStep(model, nextStep(random, model, held[0], at))
    if (step === undefined) continue
    const mine = translated(step)
    const before = model.inodeCount
    take(model, step, held[0])
    take(upper, mine, held[1])
    if (step.do === 'make') {
      const made = model.lookup(step.directory, step.name as never)
      ids.set(made, upper.lookup((mine as typeof step).directory, step.name as never))
    }
    assert.equal(model.inodeCount - before, upper.inodeCount - before, `step ${at}`)
    if (random(10) === 0) compare(at)
    const chance = random(60)
    if (chance === 0) await upper.sync()
    else if (chance < 4) {
      for (const [i, each] of [model, upper].entries()) for (const id of held[i]!.splice(0)) each.release(each.node(id))
      await upper.close()
      upper = await directoryUpper(join(directory, 'upper'), { calls })
      ids.clear()
      match()
      compare(at)
    }
  }
  compare(200)
  await upper.close()
}
