/** How long does it take to commit a container, until the image is durable? Against `docker commit` of the same changes. */

import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Store } from '../src/index.js'
import { layerTar } from './archive-writer.js'
import { changedContainer, changedFileBytes, changedFiles, changesOf, tarEntries } from './changed.js'
import { contest } from './contest.js'
import { docker, dockerIn } from './peers.js'
import { type Place, remove } from './places.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Bench, Question } from './questions.js'

const image = 'lookup:10'
const names = { ours: 'phyllo commit', docker: 'docker commit' } as const

export const question: Question = {
  title: `commit ${changedFiles} changed files of ${changedFileBytes} bytes`,
  peers: ['dockerd', 'docker'],
  inputs: ['lookup10', 'base'],
  async ask(bench) {
    const times = await askIn(bench, bench.places.quick)
    bench.report('commit: docker commit / phyllo commit', times.ratios(names.docker, names.ours))
    if (bench.beside) await askIn(bench, bench.places.disk)
  },
}

async function askIn({ rounds, input, say }: Bench, place: Place) {
  const folder = await place.fresh()
  const [base, tar] = [join(folder, 'base'), join(folder, 'changes.tar')]
  await prepare(base, input('lookup10'), input('base'), tar)
  await using dockerd = await dockerIn(place)
  await dockerd.docker('load', '-q', '-i', input('lookup10'))
  await dockerd.docker('create', '--name', 'changed', image, '/none')
  await runProcess(['sh', '-c', 'docker cp - changed:/ <"$0"', tar], { env: { DOCKER_HOST: dockerd.host } })
  let root = ''
  const times = await contest(
    [
      {
        name: names.ours,
        prepare: async () => {
          root = join(await place.fresh(), 'store')
          await runProcess(['cp', '-a', base, root])
          await place.settle()
        },
        run: () => runProcess(phyllo(root, [...place.options, 'commit', 'changed', 'next:v1'])),
        tidy: () => remove(root),
      },
      {
        name: names.docker,
        prepare: place.settle,
        run: () => docker(dockerd, 'commit', 'changed', 'next:v1'),
        tidy: () => dockerd.docker('rmi', 'next:v1'),
      },
    ],
    rounds,
  )
  say(
    `stores and data roots on ${place.fileSystem}:\n${timesTable(times, names.ours, { bytes: changedFiles * changedFileBytes })}\n`,
  )
  return times
}

/** A store with the changed container, and the same changes as a tar. */
async function prepare(root: string, archive: string, base: string, tar: string): Promise<void> {
  await using store = await Store.open(root, { durability: 'none' })
  await store.load(archive)
  const changes = await changesOf(store, image, base)
  await changedContainer(store, image, 'changed', changes)
  await pipeline(Readable.from(layerTar(tarEntries(changes))), createWriteStream(tar))
}
