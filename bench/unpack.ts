/** How long does it take to write the merged tree of a real image into a directory? Against umoci, and GNU tar of each layer in turn. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Contestant, contest } from './contest.js'
import { inFresh } from './in-fresh.js'
import { skopeoCopy } from './peers.js'
import { type Place, remove } from './places.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Bench, Question } from './questions.js'

const names = {
  native: 'phyllo unpack',
  napi: 'phyllo unpack, lz4-napi alone',
  stored: 'phyllo unpack of a store without compression',
  umoci: 'umoci unpack of gzip layers',
  tar: 'tar -x of all layers in turn',
} as const

export const question: Question = {
  title: 'unpack an image of 1.1 GB, 54,000 files and folders',
  peers: ['umoci', 'skopeo', 'tar'],
  inputs: ['app', 'appOci'],
  async ask(bench) {
    await askIn(bench, bench.places.quick, true)
    if (bench.beside) await askIn(bench, bench.places.disk, false)
  },
}

async function askIn(bench: Bench, place: Place, forTargets: boolean): Promise<void> {
  const [app, appOci] = [bench.input('app'), bench.input('appOci')]
  const folder = await place.fresh()
  const [store, stored, layout, layers] = ['store', 'stored', 'layout', 'layers'].map(name => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ]
  await runProcess(phyllo(store, [...place.options, 'load', '-i', app]))
  await skopeoCopy(`oci-archive:${appOci}`, `oci:${layout}:app`)
  await mkdir(layers)
  await runProcess(['tar', '-C', layers, '-xf', app])
  const tars = await layersOf(layers)
  const ours = (root: string) => (to: string) =>
    runProcess(phyllo(root, [...place.options, 'unpack', 'app:v1', join(to, 'tree')]))
  const umoci = (from: string) => (to: string) =>
    runProcess(['umoci', 'unpack', '--image', `${from}:app`, join(to, 'bundle')])
  const contestants: Contestant[] = [
    inFresh(place, names.native, ours(store)),
    inFresh(place, names.umoci, umoci(layout)),
    inFresh(place, names.tar, to => extract(tars, to)),
  ]
  if (bench.beside) {
    await runProcess(phyllo(stored, [...place.options, '--compression', 'none', 'load', '-i', app]))
    const env = { PHYLLO_NATIVE: '0' }
    contestants.push(
      inFresh(place, names.napi, to =>
        runProcess(phyllo(store, [...place.options, 'unpack', 'app:v1', join(to, 'tree')]), { env }),
      ),
      inFresh(place, names.stored, ours(stored)),
    )
  }
  const times = await contest(contestants, bench.rounds)
  bench.say(`stores and directories on ${place.fileSystem}:\n${timesTable(times, names.native)}\n`)
  await remove(folder)
  if (!forTargets) return
  bench.report('unpack: umoci unpack / phyllo unpack', times.ratios(names.umoci, names.native))
  bench.report('unpack: tar -x of all layers / phyllo unpack', times.ratios(names.tar, names.native))
}

/** Of an unpacked docker-archive, base first. */
async function layersOf(archive: string): Promise<string[]> {
  const [item] = JSON.parse(await readFile(join(archive, 'manifest.json'), 'utf8')) as [{ Layers: string[] }]
  return item.Layers.map(name => join(archive, name))
}

/**
 * Every layer over the one before. Whiteouts become files, and nothing is deleted but a directory where a file or symlink is to be:
 * less than what the others do.
 */
async function extract(layers: readonly string[], to: string): Promise<void> {
  for (const layer of layers) await runProcess(['tar', '-C', to, '--recursive-unlink', '-xf', layer])
}
