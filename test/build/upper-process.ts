/**
 * A process that changes an upper and tells each change on standard output, until it is killed: `node upper-process.js DIRECTORY SEED`.
 * It turns the event loop now and then, and waits sometimes, as programs do.
 *
 * Lines: `N MS`, when step N is done; `tick MS`, whenever the event loop has turned; `sync N`, when a sync ended that began after
 * step N. The clock is the process's own: on a busy machine it may stand still for a while, and so do its timers.
 */
import { writeSync } from 'node:fs'
import { memoryUpper, plainRoot } from './memory-upper.js'
import { packedUpper } from './packed-upper.js'
import { nextStep, randomOf, take } from './upper-sequence.js'

const [directory, seed] = process.argv.slice(2)
const random = randomOf(Number(seed))
const model = memoryUpper()
const upper = await packedUpper(directory!, { root: plainRoot })
const held: [number[], number[]] = [[], []]
const pauses = randomOf(Number(seed) + 1)
setInterval(() => writeSync(1, `tick ${performance.now()}\n`), 5)

for (let at = 0; ; at++) {
  const step = nextStep(random, model, held[0], at)
  take(model, step, held[0])
  take(upper, step, held[1])
  writeSync(1, `${at + 1} ${performance.now()}\n`)
  const choice = pauses(40)
  if (choice === 0) {
    await upper.sync()
    writeSync(1, `sync ${at + 1}\n`)
  } else if (choice === 1) await upper.compact()
  else if (choice < 6) await new Promise(resolve => setTimeout(resolve, pauses(30)))
  else if (choice < 20) await new Promise(setImmediate)
}
