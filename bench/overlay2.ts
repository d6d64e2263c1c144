/** How long do load, save and rmi take where the store is Docker's own? Against dockerd, and GNU tar, which only unpacks. */
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { contest } from './contest.js'
import { inFresh } from './in-fresh.js'
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
  rmi: 'phyllo rmi, from overlay2',
  dockerRmi: 'docker rmi',
} as const

export const question: Question = {
  title: 'load, save and remove an image of 1.1 GB, driver overlay2',
  peers: ['dockerd', 'docker', 'tar'],
  inputs: ['app'],
  async ask(bench) {
    await askIn(bench, bench.places.quick, true)
    if (bench.beside) await askIn(bench, bench.places.disk, false)
  },
}

async function askIn(bench: Bench, place: Place, forTargets: boolean): Promise<void> {
  await using dockerd = await dockerIn(place)
  const asked: Asked = { bench, place, app: bench.input('app'), dockerd }
  const loads = await askLoad(asked)
  const saves = await askSave(asked)
  const removals = await askRemove(asked)
  if (!forTargets) return
  bench.report('overlay2: docker load / load', loads.ratios(names.dockerLoad, names.load))
  bench.report('overlay2: tar -x / load', loads.ratios(names.tar, names.load))
  bench.report('overlay2: docker save / save', saves.ratios(names.dockerSave, names.save))
  bench.report('overlay2: docker rmi / rmi', removals.ratios(names.dockerRmi, names.rmi))
}

interface Asked {
  readonly bench: Bench
  readonly place: Place
  readonly app: string
  readonly dockerd: Awaited<ReturnType<typeof dockerIn>>
}

const ours = ({ place }: Asked, root: string, ...words: string[]) =>
  runProcess(phyllo(root, ['--driver', 'overlay2', ...place.options, ...words]))

async function askLoad(asked: Asked) {
  const { bench, place, app, dockerd } = asked
  const layers = await layersOf(place, app)
  const folders = (folder: string) => Promise.all(layers.map((_, index) => mkdir(join(folder, `${index}`))))
  const times = await contest(
    [
      inFresh(place, names.load, root => ours(asked, root, 'load', '-i', app)),
      {
        name: names.dockerLoad,
        prepare: place.settle,
        run: () => docker(dockerd, 'load', '-q', '-i', app),
        tidy: () => dockerd.docker('rmi', '-f', 'app:v1'),
      },
      inFresh(place, names.tar, folder => unpack(folder, layers), folders),
    ],
    bench.rounds,
  )
  const { size: bytes } = await stat(app)
  bench.say(`stores and data roots on ${place.fileSystem}:\n${timesTable(times, names.load, { bytes })}\n`)
  return times
}

async function askSave(asked: Asked) {
  const { bench, place, app, dockerd } = asked
  const root = await place.fresh()
  await ours(asked, root, 'load', '-i', app)
  await dockerd.docker('load', '-q', '-i', app)
  const times = await contest(
    [
      inFresh(place, names.save, to => ours(asked, root, 'save', '-o', join(to, 'out.tar'), 'app:v1')),
      inFresh(place, names.dockerSave, to => docker(dockerd, 'save', '-o', join(to, 'out.tar'), 'app:v1')),
    ],
    bench.rounds,
  )
  await dockerd.docker('rmi', '-f', 'app:v1')
  await remove(root)
  bench.say(`${timesTable(times, names.save, { bytes: (await stat(app)).size })}\n`)
  return times
}

async function askRemove(asked: Asked) {
  const { bench, place, app, dockerd } = asked
  const load = (root: string) => ours(asked, root, 'load', '-i', app)
  const times = await contest(
    [
      inFresh(place, names.rmi, root => ours(asked, root, 'rmi', 'app:v1'), load),
      {
        name: names.dockerRmi,
        prepare: async () => {
          await dockerd.docker('load', '-q', '-i', app)
          await place.settle()
        },
        run: () => docker(dockerd, 'rmi', 'app:v1'),
      },
    ],
    bench.rounds,
  )
  bench.say(`${timesTable(times, names.rmi)}\n`)
  return times
}

/** The tars of the archive's layers, base first as far as it matters here. */
async function layersOf(place: Place, app: string): Promise<string[]> {
  const folder = await place.fresh()
  await runProcess(['tar', '-C', folder, '-xf', app])
  const members = await readdir(folder, { recursive: true })
  return members.filter(member => member.endsWith('layer.tar')).map(member => join(folder, member))
}

/** Each by itself, as a store of layers has them. */
async function unpack(folder: string, layers: readonly string[]): Promise<void> {
  for (const [index, layer] of layers.entries()) await runProcess(['tar', '-C', join(folder, `${index}`), '-xf', layer])
}
