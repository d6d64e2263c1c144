/** How long does it take to load a real image? Against dockerd, podman, skopeo, GNU tar, and the hash alone. */
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Contestant, contest } from './contest.js'
import { inFresh } from './in-fresh.js'
import { docker, dockerIn, podman, skopeoCopy } from './peers.js'
import { type Place, remove } from './places.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Bench, Question } from './questions.js'

const names = {
  native: 'phyllo load',
  napi: 'phyllo load, lz4-napi alone',
  stored: 'phyllo load --compression none',
  gzip: 'phyllo load of gzip layers',
  gzipNapi: 'phyllo load of gzip layers, lz4-napi alone',
  again: 'phyllo load, all there',
  docker: 'docker load',
  openssl: 'openssl dgst -sha256',
} as const

const napiAlone = { PHYLLO_NATIVE: '0' }

export const question: Question = {
  title: 'load an image of 1.1 GB',
  peers: ['dockerd', 'docker', 'openssl'],
  peersBeside: ['podman', 'skopeo', 'tar'],
  inputs: ['app', 'appOci'],
  async ask(bench) {
    await askIn(bench, bench.places.quick, true)
    if (bench.beside) await askIn(bench, bench.places.disk, false)
  },
}

async function askIn(bench: Bench, place: Place, forTargets: boolean): Promise<void> {
  const [app, appOci] = [bench.input('app'), bench.input('appOci')]
  await using dockerd = await dockerIn(place)
  const loaded = await place.fresh()
  await runProcess(phyllo(loaded, [...place.options, 'load', '-i', app]))
  const contestants: Contestant[] = [
    ours(place, names.native, app),
    ours(place, names.napi, app, { env: napiAlone }),
    ours(place, names.stored, app, { options: ['--compression', 'none'] }),
    ours(place, names.gzip, appOci),
    { name: names.again, run: () => runProcess(phyllo(loaded, [...place.options, 'load', '-i', app])) },
    {
      name: names.docker,
      prepare: place.settle,
      run: () => docker(dockerd, 'load', '-q', '-i', app),
      tidy: () => dockerd.docker('rmi', '-f', 'app:v1'),
    },
    { name: names.openssl, run: () => runProcess(['openssl', 'dgst', '-sha256', app]) },
  ]
  if (bench.beside) contestants.push(ours(place, names.gzipNapi, appOci, { env: napiAlone }))
  if (bench.beside && forTargets) contestants.push(...otherPeers(bench, place, app))
  if (!forTargets) {
    const { large } = bench.places
    contestants.push(
      ours(large, `${names.native}, durability none`, app),
      ours(large, `${names.napi}, durability none`, app, { env: napiAlone }),
    )
  }
  const times = await contest(contestants, bench.rounds)
  bench.say(
    `stores and data roots on ${place.fileSystem}:\n${timesTable(times, names.native, { bytes: (await stat(app)).size })}\n`,
  )
  if (!forTargets) return
  bench.report('load: docker load / phyllo load, lz4-napi', times.ratios(names.docker, names.napi))
  bench.report('load: phyllo load, stored / openssl dgst', times.ratios(names.stored, names.openssl))
  bench.report('load: docker load / phyllo load of gzip layers', times.ratios(names.docker, names.gzip))
  bench.report('load: again', times.seconds(names.again))
}

interface OursOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly options?: readonly string[]
}

/** A load into a new store. */
function ours(place: Place, name: string, archive: string, { env = {}, options = [] }: OursOptions = {}): Contestant {
  return inFresh(place, name, root =>
    runProcess(phyllo(root, [...place.options, ...options, 'load', '-i', archive]), { env }),
  )
}

function otherPeers(bench: Bench, place: Place, app: string): Contestant[] {
  let folder = ''
  const prepare = async () => void (folder = await place.fresh())
  const tidy = () => remove(folder)
  const found: Contestant[] = []
  if (bench.has('podman'))
    found.push({
      name: 'podman load',
      prepare,
      run: () => podman(folder, 'load', '-q', '-i', app),
      tidy: async () => {
        await podman(folder, 'system', 'reset', '-f')
        await tidy()
      },
    })
  if (bench.has('skopeo')) {
    const run = () => skopeoCopy(`docker-archive:${app}`, `oci:${join(folder, 'layout')}:app:v1`)
    found.push({ name: 'skopeo copy to an OCI layout', prepare, run, tidy })
  }
  if (bench.has('tar'))
    found.push({ name: 'tar -x of it and of its layers', prepare, run: () => unpack(folder, app), tidy })
  return found
}

async function unpack(folder: string, archive: string): Promise<void> {
  const outer = join(folder, 'outer')
  await mkdir(outer)
  await runProcess(['tar', '-C', outer, '-xf', archive])
  const each = 'for layer in */layer.tar; do mkdir "$layer.d" && tar -C "$layer.d" -xf "$layer" || exit 1; done'
  await runProcess(['sh', '-c', `cd "$0" && ${each}`, outer])
}
