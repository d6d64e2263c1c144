/** How fast does a container take changes, until every byte is with the kernel? Against node:fs on the kernel's overlay. */
import { execFileSync } from 'node:child_process'
import { type Container, Store } from '../src/index.js'
import { type Contestant, contest } from './contest.js'
import { type KernelOverlay, kernelOverlay } from './kernel-overlay.js'
import { wide } from './made-inputs.js'
import { timesTable } from './print.js'
import type { Bench, Question } from './questions.js'
import { kernelSide, ourSide, type Side } from './sides.js'

const newFiles = 10_000
const newFileBytes = 1000
/** Directories that the new files are in. */
const newFolders = 20

export const question: Question = {
  title: 'changes in a container, against the kernel’s overlay',
  peers: ['dockerd', 'docker'],
  inputs: ['wide'],
  async ask(bench) {
    const kernel = await kernelOverlay(bench, 'wide', 'wide:v1')
    const root = await bench.places.quick.fresh()
    await using store = await Store.open(root)
    await store.load(bench.input('wide'))
    bench.say(`store, layers and upper on ${bench.places.quick.fileSystem}\n`)
    await askFiles(bench, kernel, store)
    await askRename(bench, store)
  },
}

async function askFiles({ rounds, places, say, report }: Bench, kernel: KernelOverlay, store: Store): Promise<void> {
  const flushed = ['fs.promises', 'container.promises, close()'] as const
  const synced = ['fs.promises, syncfs', 'container.promises, sync()'] as const
  const contestants = [
    inKernel(flushed[0], kernel, () => undefined),
    inContainer(flushed[1], store, box => box.close()),
    inKernel(synced[0], kernel, () => execFileSync('sync', ['-f', places.quick.path])),
    inContainer(synced[1], store, box => box.sync()),
  ]
  const times = await contest(contestants, rounds)
  const what = `${newFiles} new files of ${newFileBytes} bytes, one after the other: open, write, close`
  say(`${what}:\n${timesTable(times, flushed[1])}\n`)
  report('container: new files, kernel / ours', times.ratios(...flushed))
  say(`with syncfs / sync(): ${times.ratios(...synced).map(ratio => ratio.toFixed(2))}\n`)
}

function inKernel(name: string, kernel: KernelOverlay, end: () => unknown): Contestant {
  return {
    name,
    prepare: () => kernel.renew(),
    run: async () => {
      await create(kernelSide(name, kernel))
      end()
    },
  }
}

function inContainer(name: string, store: Store, end: (box: Container) => Promise<void>): Contestant {
  let box: Container
  return {
    name,
    prepare: async () => void (box = await store.create('wide:v1')),
    run: async () => {
      await create(ourSide(name, box))
      await end(box)
    },
    tidy: () => box.remove(),
  }
}

async function create({ files: { promises }, root }: Side): Promise<void> {
  for (let at = 0; at < newFiles; at++) {
    const path = `${root}/one/${at % newFolders}/new-${at}`
    const file = await promises.open(path, 'wx')
    await file.write(Buffer.alloc(newFileBytes, path))
    await file.close()
  }
}

/** A lower directory gets another name: what it shows is looked at afterwards. */
async function askRename({ rounds, say, report }: Bench, store: Store): Promise<void> {
  const milliseconds: number[] = []
  for (let round = 0; round < rounds * 3; round++) {
    const box = await store.create('wide:v1')
    const start = performance.now()
    box.renameSync('/large', '/renamed')
    milliseconds.push(performance.now() - start)
    const shown = box.readdirSync('/renamed').length
    if (shown !== wide.large) throw new Error(`the renamed directory has ${shown} names`)
    await box.remove()
  }
  say(`rename of a directory of ${wide.large} files: ${milliseconds.map(ms => ms.toFixed(2)).join(' ')} ms`)
  report('container: rename of a lower directory', milliseconds)
}
