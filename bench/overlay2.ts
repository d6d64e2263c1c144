/** How long do loading and saving take where the store is Docker's own? Against dockerd, and against GNU tar, which only unpacks. */
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Contestant, contest } from './contest.js'
import { docker, dockerIn } from './peers.js'
import { type Place, remove } from './places.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Bench, Question } from './questions.js'

const names = {
  load: 'phyllo --driver overlay2 load',
  dockerLoad: 'docker load',
  tar: 'tar -x of each layer in turn',
  save: 'phyllo save, from overlay2',
  dockerSave: 'docker save',
} as const

export const question: Question = {
  title: 'load and save an image of 1.1 GB, driver overlay2',
  peers: ['dockerd', 'docker', 'tar'],
  inputs: ['app'],
  async ask(bench) {
    await askIn(bench, bench.places.quick, true)
    if (bench.beside) await askIn(bench, bench.places.disk, false)
  },
}

async function askIn(bench: Bench, place: Place, forTargets: boolean): Promise<void> {
  const app = bench.input('app')
  const size = { bytes: (await stat(app)).size }
  await using dockerd = await dockerIn(place)
  const loads = await contest(
    [
      load(place, app),
      {
        name: names.dockerLoad,
        prepare: place.settle,
        run: () => docker(dockerd, 'load', '-q', '-i', app),
        tidy: () => dockerd.docker('rmi', '-f', 'app:v1'),
      },
      unpack(place, await layersOf(place, app)),
    ],
    bench.rounds,
  )
  bench.say(`stores and data roots on ${place.fileSystem}:\n${timesTable(loads, names.load, size)}\n`)
  const root = await place.fresh()
  await runProcess(phyllo(root, ['--driver', 'overlay2', ...place.options, 'load', '-i', app]))
  await dockerd.docker('load', '-q', '-i', app)
  const saves = await contest(
    [
      save(place, names.save, to => runProcess(phyllo(root, [...place.options, 'save', '-o', to, 'app:v1']))),
      save(place, names.dockerSave, to => docker(dockerd, 'save', '-o', to, 'app:v1')),
    ],
    bench.rounds,
  )
  bench.say(`${timesTable(saves, names.save, size)}\n`)
  if (!forTargets) return
  bench.report('overlay2: docker load / load', loads.ratios(names.dockerLoad, names.load))
  bench.report('overlay2: tar -x / load', loads.ratios(names.tar, names.load))
  bench.report('overlay2: docker save / save', saves.ratios(names.dockerSave, names.save))
}

function load(place: Place, app: string): Contestant {
  let root = ''
  return {
    name: names.load,
    prepare: async () => {
      root = await place.fresh()
      await place.settle()
    },
    run: () => runProcess(phyllo(root, ['--driver', 'overlay2', ...place.options, 'load', '-i', app])),
    tidy: () => remove(root),
  }
}

/** The tars of the archive's layers, base first as far as it matters here. */
async function layersOf(place: Place, app: string): Promise<string[]> {
  const folder = await place.fresh()
  await runProcess(['tar', '-C', folder, '-xf', app])
  const members = await readdir(folder, { recursive: true })
  return members.filter(member => member.endsWith('layer.tar')).map(member => join(folder, member))
}

function unpack(place: Place, layers: readonly string[]): Contestant {
  let folder = ''
  return {
    name: names.tar,
    prepare: async () => {
      folder = await place.fresh()
      for (const index of layers.keys()) await mkdir(join(folder, `${index}`))
      await place.settle()
    },
    run: async () => {
      for (const [index, layer] of layers.entries())
        await runProcess(['tar', '-C', join(folder, `${index}`), '-xf', layer])
    },
    tidy: () => remove(folder),
  }
}

function save(place: Place, name: string, run: (to: string) => Promise<unknown>): Contestant {
  let folder = ''
  return {
    name,
    prepare: async () => {
      folder = await place.fresh()
      await place.settle()
    },
    run: () => run(join(folder, 'out.tar')),
    tidy: () => remove(folder),
  }
}
