/** The packed upper against one in memory, under random sequences, with reopening in between (P-24). */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadChecksums } from '../../../src/layerfile/checksum.js'
import { inDirectory } from '../../build/in-directory.js'
import { memoryUpper, plainRoot } from '../../build/memory-upper.js'
import { packedUpper } from '../../build/packed-upper.js'
import { nextStep, randomOf, stateOf, take } from '../../build/upper-sequence.js'

const firstSeed = Number(process.env.PHYLLO_TEST_SEED ?? Date.now() % 1_000_000)
const checksums = await loadChecksums()

for (let round = 0; round < 8; round++) {
  const seed = firstSeed + round
  const name = `the same as in memory, reopened again and again (seed ${seed})`
  test(
    name,
    inDirectory(directory => sequence(seed, directory, round % 3 === 0)),
  )
}

async function sequence(seed: number, directory: string, eager: boolean): Promise<void> {
  const random = randomOf(seed)
  const options = { root: plainRoot, checksums, eager }
  const model = memoryUpper()
  let upper = await packedUpper(join(directory, 'upper'), options)
  const held: [number[], number[]] = [[], []]
  const compare = (at: number) => {
    const [found, wanted] = [stateOf(upper), stateOf(model)]
    assert.deepEqual(found.lines, wanted.lines, `step ${at}`)
    for (const [path, bytes] of wanted.contents)
      assert.ok(bytes.equals(found.contents.get(path)!), `step ${at}: ${path}`)
    assert.deepEqual(
      [upper.usedBytes, upper.usedEntries, upper.inodeCount],
      [model.usedBytes, model.usedEntries, model.inodeCount],
    )
  }
  for (let at = 0; at < 200; at++) {
    const step = nextStep(random, model, held[0], at)
    take(model, step, held[0])
    take(upper, step, held[1])
    if (random(10) === 0) compare(at)
    const chance = random(60)
    if (chance < 3) await upper.sync()
    else if (chance === 3) await upper.compact()
    else if (chance === 4) await new Promise(resolve => setTimeout(resolve, 30))
    else if (chance < 7) {
      for (const [i, each] of [model, upper].entries()) for (const id of held[i]!.splice(0)) each.release(each.node(id))
      await upper.close()
      upper = await packedUpper(join(directory, 'upper'), options)
      compare(at)
    }
  }
  compare(200)
  await upper.close()
}
